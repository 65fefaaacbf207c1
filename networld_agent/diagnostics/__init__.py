"""Which part of a model fails: prediction, actions, returns, guidance, latents, habit."""
