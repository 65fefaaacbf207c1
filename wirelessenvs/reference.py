"""Scores that policies are known to reach, with their source: what a user compares with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ReferenceScore"]


@dataclass(frozen=True)
class ReferenceScore:
    """One score that a policy is known to reach.

    Args:
        policy: name of the policy of this package that it belongs to.
        metric: "reward" or a metric of the task.
        value: mean over agents and steps.
        source: where the figure comes from.
        preset: of the task's configuration.
        overrides: fields of the configuration that differ from the preset.
        tolerance: how far a faithful run may lie away (spread stated by the source), or None.
    """

    policy: str
    metric: str
    value: float
    source: str
    preset: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float | None = None
