"""The pieces: each module lists its rows."""
