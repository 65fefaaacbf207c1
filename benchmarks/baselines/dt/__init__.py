"""MA-DT: the decision transformer."""
