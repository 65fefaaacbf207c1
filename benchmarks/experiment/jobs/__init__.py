"""The main experiment's jobs: what they depend on, how they run, where their results lie."""
