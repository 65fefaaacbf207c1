"""A package that knows this project, and that this project does not know."""
