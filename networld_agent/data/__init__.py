"""The data set: format, integrity, windows, statistics, families of them, exchange with Minari.

Windows are read by `networld_agent.data.windows`, and given to a `DataLoader` by
`networld_agent.data.torch_windows`; these two need PyTorch, the rest does not. Tables are
`TrajectoryDataset.to_pandas`, and `python -m networld_agent.data` inspects, verifies and exports.
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
