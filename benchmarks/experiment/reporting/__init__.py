"""Tables and figures of the main experiment."""
