"""The main experiment: methods, protocol, budgets; jobs that run it; the report on it."""
