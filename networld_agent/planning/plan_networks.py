"""Denoiser and classifier as a sampler asks for them: all rows at one noise level, in one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import torch
from torch import Tensor

from networld_agent.model.world_model import WorldModel
from networld_agent.planning.planning_model import PlanningModel
from networld_agent.planning.unrolled_network import UnrolledNetwork, unrolled_size

__all__ = ["LabelledNetwork", "PlanNetwork", "PlanNetworks"]

#: On a CPU, products of rows and matrix entries up to which calls cost more than zeros in matrices.
_CPU_PRODUCTS: Final = 60_000_000
#: On a GPU launches always do; matrices beyond this many numbers would fill its memory instead.
_GPU_NUMBERS: Final = 100_000_000


class PlanNetwork(Protocol):
    """A network whose rows are all at the same noise level."""

    def denoise(self, x: Tensor, level: int, context: Tensor | None = None) -> Tensor:
        """Estimate `(R, H, 2D)` of the clean plan, given what the context adds to conditions."""

    def denoise_with_gradient(
        self, x: Tensor, level: int, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`denoise`, and the gradient `(R, H, 2D)` of `predicted_return`."""

    def predicted_return(self, x: Tensor, level: int, context: Tensor | None = None) -> Tensor:
        """Expected discounted return `(R,)` of noisy plans."""


def _given(context: Tensor | None) -> tuple[Tensor, ...]:
    # A model without contexts need not know the argument.
    return () if context is None else (context,)


class LabelledNetwork:
    """Any model: level and task are one row of labels, whose condition is broadcast.

    Args:
        model: the model.
        task: name of the task.
        levels: noise levels that will be asked for.
    """

    def __init__(self, model: PlanningModel, task: str, levels: Sequence[int]) -> None:
        self._model = model
        device = model.schedule.alpha_bar.device
        self._tau = {level: torch.tensor([level], device=device) for level in levels}
        self._index = torch.tensor([model.tasks[task].index], device=device)

    def denoise(self, x: Tensor, level: int, context: Tensor | None = None) -> Tensor:
        """As `PlanNetwork`."""
        return self._model.denoise(x, self._tau[level], self._index, *_given(context))

    def denoise_with_gradient(
        self, x: Tensor, level: int, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `PlanNetwork`."""
        return self._model.denoise_with_gradient(x, self._tau[level], self._index, *_given(context))

    def predicted_return(self, x: Tensor, level: int, context: Tensor | None = None) -> Tensor:
        """As `PlanNetwork`."""
        return self._model.predicted_return(x, self._tau[level], self._index, *_given(context))


class PlanNetworks:
    """The network that is quickest for a number of rows.

    Args:
        model: the model; only a `WorldModel` has more than one form.
        task: name of the task.
        levels: noise levels that will be asked for.
    """

    def __init__(self, model: PlanningModel, task: str, levels: Sequence[int]) -> None:
        self._model, self._task, self._levels = model, task, tuple(levels)
        self._labelled = LabelledNetwork(model, task, levels)
        self._unrolled: UnrolledNetwork | None = None
        self._most_rows = 0
        if isinstance(model, WorldModel):
            size = unrolled_size(model)
            on_cpu = model.schedule.alpha_bar.device.type == "cpu"
            most = 2**31 if size <= _GPU_NUMBERS else 0
            self._most_rows = _CPU_PRODUCTS // size if on_cpu else most

    def refresh(self, rows: int) -> bool:
        """Makes what a call of this many rows needs, or reads weights that have changed.

        Returns:
            Whether tensors lie elsewhere now, so that captured graphs must be forgotten.
        """
        if rows > self._most_rows:
            return False
        if self._unrolled is None:
            assert isinstance(self._model, WorldModel)
            self._unrolled = UnrolledNetwork(self._model, self._task, self._levels)
            return False
        return self._unrolled.refresh()

    def of(self, rows: int) -> PlanNetwork:
        """The network for this many rows; call `refresh` before."""
        if rows <= self._most_rows and self._unrolled is not None:
            return self._unrolled
        return self._labelled
