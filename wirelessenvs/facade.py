"""What the three façades share: building the simulator, options of reset, rendering."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_choice, shown
from wirelessenvs.config import TaskConfig
from wirelessenvs.context import Context
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import Task

if TYPE_CHECKING:
    from wirelessenvs.rendering import Renderer

__all__ = ["RENDER_FPS", "RENDER_MODES", "SimulatorFacade", "SingleFacade"]

RENDER_MODES = ["human", "rgb_array"]
RENDER_FPS = 5


class SimulatorFacade:
    """Mixin around one simulator; the façades add their libraries' calling conventions."""

    task: Task
    simulator: Simulator[Any]
    render_mode: str | None
    _renderer: Renderer | None

    def _build(
        self,
        task: Task,
        num_envs: int,
        preset: str | None,
        render_mode: str | None,
        config: TaskConfig | None,
        overrides: Mapping[str, Any],
    ) -> None:
        if render_mode is not None:
            check_choice("render_mode", render_mode, RENDER_MODES)
        if config is None:
            config = task.config.from_preset(preset, **overrides)
        elif preset is not None or overrides:
            raise TypeError("config excludes preset and single arguments: give one or the other.")
        elif not isinstance(config, task.config):
            raise TypeError(f"config must be a {task.config.__name__}, got {shown(config)}.")
        self.task = task
        self.simulator = task.simulator(config, num_envs)
        self.render_mode = render_mode
        self._renderer = None

    def _zero_metrics(self) -> dict[str, NDArray[np.float64]]:
        """Metrics `(B, N)` before the first step: zeros, which say what infos will hold."""
        shape = (self.simulator.num_envs, self.simulator.num_agents)
        return {name: np.zeros(shape) for name in self.simulator.metric_names}

    @property
    def graph(self) -> NeighborGraph:
        """The 1-hop neighbour graph over the agents."""
        return self.simulator.graph

    @property
    def context(self) -> Context:
        """Public static numbers of the network, with their names, units and space."""
        return self.simulator.context

    @property
    def context_space(self) -> gymnasium.spaces.Box:
        """Space of one agent's context, shared by all agents and all configurations of a task."""
        return self.simulator.context.space

    @staticmethod
    def _check_options(options: Mapping[str, Any] | None, known: tuple[str, ...] = ()) -> None:
        if options is None:
            return
        if not isinstance(options, Mapping):
            raise TypeError(f"options must be a dictionary or None, got {shown(options)}.")
        for name in options:
            if name not in known:
                accepted = ", ".join(known) if known else "none"
                warnings.warn(
                    f"reset ignores the unknown option {shown(name)} (known: {accepted}).",
                    stacklevel=3,
                )

    def _render(self) -> list[Any] | None:
        """A frame per environment, each `(height, width, 3)` uint8.

        In "human" mode environment 0 is shown in a window, and there is nothing to return.
        """
        if self.render_mode is None:
            warnings.warn(
                'render does nothing: give render_mode="rgb_array" or "human" at creation.',
                stacklevel=3,
            )
            return None
        if self._renderer is None:
            from wirelessenvs.rendering import Renderer

            self._renderer = Renderer(self.task.draw, window=self.render_mode == "human")
        if self.render_mode == "human":
            self._renderer.frame(self.simulator)
            return None
        return [self._renderer.frame(self.simulator, b) for b in range(self.simulator.num_envs)]

    def _show(self) -> None:
        """Shows what `reset` or `step` has led to, in "human" mode."""
        if self.render_mode == "human":
            self._render()

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


class SingleFacade(SimulatorFacade):
    """Base of the two façades over a batch of one."""

    def state(self) -> NDArray[np.float32]:
        """Global state `(S,)` float32, in `state_space`."""
        return self.simulator.state()[0]

    def render(self) -> Any:
        """`(height, width, 3)` uint8 for "rgb_array".

        None for "human": a window shows every `reset` and `step` by itself.
        """
        frames = self._render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Closes the window, if any."""
        self._close_renderer()
