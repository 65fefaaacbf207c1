"""Stopwatches."""
