"""What a decision computes, as functions of tensors alone: a GPU replays them as one launch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from networld_agent.cuda_graph import CudaGraphs, GraphBackend, GraphedFunction, TensorFunction
from networld_agent.keyed_random import stream_keys
from networld_agent.planning.agreement import most_agreed
from networld_agent.planning.plan_generator import PlanGenerator, shifted
from networld_agent.planning.planner_config import DEFAULT_VOTES, PlannerConfig
from networld_agent.planning.planning_model import PlanningModel

__all__ = ["Decision"]


class Decision:
    """Observations in, actions and plans out, for B environments of N agents each.

    Results may lie in memory that the next call overwrites.

    Args:
        model: a world model.
        task: name of the task.
        config: how to plan.
        backend: captures what is computed; None takes CUDA graphs where the model lies on a GPU,
            if the options ask for it.
    """

    def __init__(
        self,
        model: PlanningModel,
        task: str,
        config: PlannerConfig,
        backend: GraphBackend | None = None,
    ) -> None:
        self._model, self._task, self._config = model, task, config
        self.generator = PlanGenerator(model, task, config)
        self._plans_nothing = config.plan_mode == "behaviour"
        votes = 1 if self._plans_nothing else config.votes
        if votes is None:
            votes = DEFAULT_VOTES if self.generator.temperature == 1 else 1
        self.votes = votes
        scale = config.value_scale
        if scale is None:
            scale = model.tasks[task].value_scale or 0.0
        self.value_scale = scale
        if self._plans_nothing:
            model.behaviour(task)  # raises where a model has none
        self._device = model.schedule.alpha_bar.device
        if backend is None and config.graph == "auto" and self._device.type == "cuda":
            backend = CudaGraphs(self._device)
        functions = (self.planned, self.continued, self.followed)
        self._graphs = [
            GraphedFunction(function, backend, name="The planner's decision")
            for function in functions
            if backend is not None
        ]
        chosen: Sequence[TensorFunction] = self._graphs or functions
        self._planned, self._continued, self._followed = chosen

    def plan(
        self,
        observations: Tensor,
        keys: Tensor,
        neighbors: tuple[Tensor, ...],
        previous: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """New plans and their first actions.

        Args:
            observations: `(B, N, d)`.
            keys: `(B, N)` int64 on the CPU, of each agent's noise in this decision.
            neighbors: `Neighbors.tensors`.
            previous: `(B N, H, 2D)` last plans, to start from; None starts from noise.

        Returns:
            Actions `(B N, ...)` and plans `(B N, H, 2D)`.
        """
        keys = keys.flatten()
        if self.votes > 1:
            # Row-major in rows: vote v of row r is row r * votes + v.
            keys = stream_keys(keys[:, None], torch.arange(self.votes)).flatten()
        noise_keys = self.generator.noise_keys(keys, previous is not None)
        if self.generator.refresh(len(keys)):
            for graph in self._graphs:
                graph.forget()
        if previous is None:
            actions, plans = self._planned(observations, noise_keys, *neighbors)
        else:
            actions, plans = self._continued(observations, noise_keys, previous, *neighbors)
        return actions, plans

    def follow(self, observations: Tensor, following: Tensor) -> Tensor:
        """Actions `(B N, ...)` from observations `(B, N, d)` to planned latents `(B N, D)`."""
        return self._followed(observations, following)[0]

    # What follows is captured: no value may be read on the host or copied from it.
    @torch.no_grad()
    def planned(
        self, observations: Tensor, noise_keys: Tensor, *neighbors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """A plan from pure noise, as `plan` makes it."""
        return self._computed(observations, noise_keys, None, neighbors)

    @torch.no_grad()
    def continued(
        self, observations: Tensor, noise_keys: Tensor, previous: Tensor, *neighbors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`plan` from the last plans."""
        start = shifted(previous, self._config.execute)
        return self._computed(observations, noise_keys, start, neighbors)

    @torch.no_grad()
    def followed(self, observations: Tensor, following: Tensor) -> tuple[Tensor]:
        """The actions towards the next latents of a plan, as `follow` returns them."""
        with self._precision():
            seen = observations.flatten(0, 1)
            own = self._model.encode(self._task, seen)
            return (self._decoded(self._model.known(self._task, own, seen), following),)

    def _computed(
        self,
        observations: Tensor,
        noise_keys: Tensor,
        start: Tensor | None,
        neighbors: tuple[Tensor, ...],
    ) -> tuple[Tensor, Tensor]:
        with self._precision():
            seen = observations.flatten(0, 1)
            own = self._model.encode(self._task, seen)
            # The one exchange: every agent's latent, to those who hear it.
            latents = own.reshape(*observations.shape[:2], -1)
            means = self._model.heard(latents, neighbors)
            heard = means.flatten(0, 1)
            known = self._model.known(self._task, own, seen)
            condition = self._model.condition(self._task, seen)
            preference = None
            if self.value_scale > 0:
                values = self._model.action_values(self._task, observations, means).flatten(0, 1)
                values = (self.value_scale * values).repeat_interleave(self.votes, 0)
                preference = self._model.value(self._task).actions, values
            if self._plans_nothing:
                head = self._model.behaviour(self._task)
                mode = self._config.decoding or self._model.config.decode
                actions = head.decode(known, heard, mode, preference)
                present = torch.cat([own, heard], 1)[:, None]
                return actions, present.expand(-1, self._model.config.horizon, -1)
            if self.votes > 1:
                own, heard, known = (
                    rows.repeat_interleave(self.votes, 0) for rows in (own, heard, known)
                )
                if condition is not None:
                    condition = condition.repeat_interleave(self.votes, 0)
                if start is not None:
                    start = start.repeat_interleave(self.votes, 0)
            plans = self.generator.plans(own, heard, noise_keys, start, condition)
            following = plans[:, 1, : own.shape[1]]
            actions = self._decoded(known, following, preference)
            return self._agreed(known, following, actions, plans) if self.votes > 1 else (
                actions, plans
            )  # fmt: skip

    def _agreed(
        self, known: Tensor, following: Tensor, actions: Tensor, plans: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The one of several plans whose first action is likeliest under all of them."""
        votes = self.votes
        chosen = most_agreed(
            self._model.inverse(self._task),
            known[::votes],
            following.reshape(-1, votes, following.shape[1]),
            actions.reshape(-1, votes, *actions.shape[1:]),
        )
        rows = torch.arange(0, len(plans), votes, device=chosen.device) + chosen
        return actions[rows], plans[rows]

    def _decoded(
        self, known: Tensor, following: Tensor, preference: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        return self._model.decode_actions(
            self._task, known, following, self._config.decoding, preference
        )

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        """Lets a GPU round factors of matrix products if the options say so, and only then."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self._config.tf32 else "highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
