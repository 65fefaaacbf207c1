"""MA-DD: the decision diffuser."""
