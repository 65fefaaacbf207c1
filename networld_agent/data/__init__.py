"""The data set: format, integrity, windows, statistics, exchange with Minari."""

from networld_agent.data.collection import TrajectoryCollection
from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.errors import DatasetError
from networld_agent.data.metadata import FORMAT_VERSION, Description, Metadata
from networld_agent.data.windows import Windows, discounted_returns

__all__ = [
    "FORMAT_VERSION",
    "DatasetError",
    "Description",
    "Metadata",
    "TrajectoryCollection",
    "TrajectoryDataset",
    "Windows",
    "discounted_returns",
]
