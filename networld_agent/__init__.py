"""Offline data, world model and planner for multi-agent control, one module per step.

Example:
    >>> import tempfile
    >>> from networld_agent.collecting import CollectionSettings, collect
    >>> from networld_agent.data import TrajectoryDataset
    >>> folder = tempfile.TemporaryDirectory()
    >>> settings = CollectionSettings(env="rb-v0", policy="expert", episodes=2, steps=20)
    >>> path = collect(settings, f"{folder.name}/rb-expert")
    >>> TrajectoryDataset.open(path, verify="full").observations.shape
    (2, 8, 21, 4)
    >>> folder.cleanup()
"""

from wirelessenvs import __version__

__all__ = ["__version__"]
