"""The policy of methods that are conditioned on a return: it asks for one, which is tuned."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from benchmarks.baselines.shared.policy import BaselinePolicy, PolicySpec
from wirelessenvs.checks import check_real

__all__ = ["ReturnPolicy"]


class ReturnPolicy(BaselinePolicy):
    """Asks for `target_return` at every step; training leaves it in `spec.extra`."""

    tuned: ClassVar[str | None] = "target_return"

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__(spec)
        self._target = check_real("target_return", spec.extra["target_return"])

    @property
    def target_return(self) -> float:
        """The return that is asked for; to be tuned on validation seeds, then saved."""
        return self._target

    @target_return.setter
    def target_return(self, value: float) -> None:
        self._target = check_real("target_return", value)
        extra = {**self.spec.extra, "target_return": self._target}
        self.spec = dataclasses.replace(self.spec, extra=extra)
