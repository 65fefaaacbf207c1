"""Environments in batches, of this project or of PettingZoo, each world with its own seed."""
