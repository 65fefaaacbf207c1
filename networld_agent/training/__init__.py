"""Training of world models: batches, loop, checkpoints, logs."""
