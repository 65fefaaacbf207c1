"""The families of this package by name."""

from __future__ import annotations

from wirelessenvs.checks import check_choice
from wirelessenvs.families.cbf import CBF
from wirelessenvs.families.deployment import Deployments, Family
from wirelessenvs.families.rb import RB
from wirelessenvs.families.slicing import SLICING

__all__ = ["FAMILIES", "deployments", "get_family"]

FAMILIES: dict[str, Family] = {family.name: family for family in (RB, CBF, SLICING)}


def get_family(name: str) -> Family:
    """The family of a name; raises `ValueError` listing what exists."""
    return FAMILIES[check_choice("family", name, FAMILIES)]


def deployments(family: str, split: str) -> Deployments:
    """The deployments of a split: a pure function of family, split and index.

    Args:
        family: "rb", "cbf" or "slicing".
        split: "train", "validation", "test", or one of the family's "beyond-..." splits, which lie
            outside the law of the first three.

    Raises:
        ValueError: for an unknown family or split; the sentence lists what exists.

    Example:
        >>> deployments("cbf", "test")[17].config.num_cells in (19, 37)
        True
    """
    return Deployments(get_family(family), split)
