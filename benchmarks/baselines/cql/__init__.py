"""MA-CQL: conservative Q-learning, of discrete actions and of reals."""
