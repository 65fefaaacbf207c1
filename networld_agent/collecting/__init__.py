"""Collection of offline data: settings, tiers, sources of episodes, workers."""

from networld_agent.collecting.family import FamilySettings, collect_family
from networld_agent.collecting.run import collect
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.sources import EpisodeSource
from networld_agent.collecting.tiers import MIXED_SHARES, TIERS

__all__ = [
    "MIXED_SHARES",
    "TIERS",
    "CollectionSettings",
    "EpisodeSource",
    "FamilySettings",
    "collect",
    "collect_family",
]
