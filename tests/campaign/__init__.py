"""Fuzz and fault campaign: damaged files, random arguments, kills; see CONTRIBUTING.md."""
