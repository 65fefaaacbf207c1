"""Families of deployments: laws over sites of a task, in splits that never mix."""

from __future__ import annotations

from wirelessenvs.families.catalogue import FAMILIES, deployments, get_family
from wirelessenvs.families.deployment import Deployment, Deployments, Family

__all__ = ["FAMILIES", "Deployment", "Deployments", "Family", "deployments", "get_family"]
