"""What all baselines share: interface, options, policies, training loop, data, networks."""
