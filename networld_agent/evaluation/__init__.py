"""Playing methods on the same worlds, and what their scores are worth: `comparison.evaluate`."""
