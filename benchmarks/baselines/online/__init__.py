"""Online training and evaluation of a team: environments, collection, the loop, its commands."""
