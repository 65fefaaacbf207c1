"""Comparisons with other packages, and published results."""
