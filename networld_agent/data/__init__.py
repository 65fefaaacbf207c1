"""The data set: format, integrity, windows, statistics, families of them, exchange with Minari.

Windows are read by `networld_agent.data.windows`, which needs PyTorch; the rest does not.
"""

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import FORMAT_VERSION, Description, Metadata
from networld_agent.errors import DatasetError

__all__ = [
    "FORMAT_VERSION",
    "DatasetError",
    "Description",
    "Metadata",
    "TrajectoryDataset",
]
