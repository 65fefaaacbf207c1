"""DIMA: a diffusion world model of a whole team, and a policy that learns inside it.

Y. Zhang et al., Revisiting Multi-Agent World Modeling from a Diffusion-Inspired Perspective,
NeurIPS 2025, arXiv 2505.20922. The model predicts the global state, one agent's action per
denoising step; training is central, execution decentralised.
"""
