"""What limits DIMA: checks of its model and of the policy that is trained in it."""
