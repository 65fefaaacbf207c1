"""Sources of episodes: what plays the episodes of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from networld_agent.collecting.settings import CollectionSettings
from networld_agent.data.files import Chunk
from networld_agent.data.metadata import Description

__all__ = ["EpisodeSource", "make_source"]


class EpisodeSource(Protocol):
    """Plays episodes of a collection; any source made from the same settings gives the same."""

    def describe(self) -> Description:
        """The data set that these settings give."""
        ...

    def play(self, episodes: tuple[int, ...]) -> Iterator[Chunk]:
        """The episodes with these indices, in pieces of bounded size."""
        ...


def make_source(settings: CollectionSettings) -> EpisodeSource:
    """The source for the environment of the settings.

    Raises:
        ValueError: if environment or policy do not exist or cannot play.
    """
    if settings.foreign:
        from networld_agent.collecting.pettingzoo_source import PettingZooSource

        return PettingZooSource(settings)
    from networld_agent.collecting.batch_source import BatchSource

    return BatchSource(settings)
