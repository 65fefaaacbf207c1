"""Training batches as a pure function of seed and step.

Nothing is drawn from a running generator. Every window of a step has a key of its own, and so has
every sequence in it: a resumed run needs no generator state, every process of a distributed run
draws its own share and nothing else, and a GPU draws for itself what a CPU would have sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from networld_agent.data.windows import WindowSource
from networld_agent.keyed_random import hashed, integers, normals, signed
from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.model.config import WorldModelConfig
from networld_agent.training.mixtures import Drawn, Mixture, MixtureDrawer

__all__ = ["BatchSampler", "Drawer", "Reader", "Share", "Single", "discounted"]

#: What a key is drawn for.
_LEVEL, _WINDOW, _NOISE, _SOURCE = 0, 1, 2, 3
#: Draws windows from keys of their sources and keys of their places in them.
Draw = Callable[[Tensor, Tensor], Drawn]


class Reader(Protocol):
    """Reads drawn windows."""

    def tensors(self, drawn: Drawn, horizon: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, rewards and neighbours' weights of what was drawn."""


@dataclass(frozen=True)
class Share:
    """Which part of each batch a process works on: windows `rank`, `rank + world`, ..."""

    rank: int = 0
    world: int = 1


class BatchSampler:
    """Multi-task batches with an equal share of sequences and of the loss for every task.

    Within a task every source has an equal share: of each batch if it has windows enough, else of
    many batches (see `mixtures`).

    Args:
        sources: at least one; several may be of one task.
        config: of the model.
        batch_size: sequences per batch, rounded to whole joint windows.
        seed: of everything random.
        share: of this process.

    Raises:
        ValueError: if a source has no window, or a process would have none.
    """

    def __init__(
        self,
        sources: Sequence[WindowSource],
        config: WorldModelConfig,
        batch_size: int,
        seed: int,
        share: Share | None = None,
    ) -> None:
        self.sources, self.config, self._seed = tuple(sources), config, seed
        self._share = share or Share()
        by_task: dict[str, list[int]] = {}
        for number, source in enumerate(self.sources):
            by_task.setdefault(source.task, []).append(number)
        sequences, weight = batch_size / len(by_task), 1 / len(by_task)
        #: What is drawn for each task, by the number of its first source.
        self.units: dict[int, Single | Mixture] = {}
        for numbers in by_task.values():
            found = [self.sources[number] for number in numbers]
            if len(found) == 1:
                self.units[numbers[0]] = Single(found[0], sequences, len(by_task))
            else:
                ranks = self._share.rank, self._share.world
                self.units[numbers[0]] = Mixture(found, sequences, weight, *ranks)
        self._drawer = self.drawer(torch.device("cpu"))
        most = max(unit.windows for unit in self.units.values())
        if most < self._share.world:
            raise ValueError(
                f"batch_size {batch_size} gives {most} joint windows, fewer than the "
                f"{self._share.world} processes."
            )

    @property
    def num_sequences(self) -> int:
        """Sequences per batch over all processes."""
        return sum(unit.num_sequences for unit in self.units.values())

    def drawer(self, device: torch.device) -> Drawer:
        """What draws this process's share of every step on a device."""
        return Drawer(self.units, self.config, self._seed, self._share, device)

    def __call__(self, step: int) -> Batch:
        """The batch of a step, or this process's share of it, on the CPU."""
        return Batch(self.windows_of(step), *self._drawer.noise(torch.tensor(step)))

    def windows_of(self, step: int) -> tuple[TaskBatch, ...]:
        """The windows of a step, without its noise."""
        return self.parts(self._drawer.places(torch.tensor(step)), [*self.units.values()])

    def parts(self, drawn: Sequence[Drawn], readers: Sequence[Reader]) -> tuple[TaskBatch, ...]:
        """The windows at drawn places, one part per task that has any.

        Args:
            drawn: per task; see `Drawer.places`.
            readers: per task, what reads its windows.
        """
        parts = []
        for unit, places, reader in zip(self.units.values(), drawn, readers, strict=True):
            if not len(places.starts):
                continue
            observations, actions, rewards, weights = reader.tensors(places, self.config.horizon)
            weight = unit.weight if places.weight is None else places.weight
            parts.append(
                TaskBatch(
                    unit.sources[0].task, observations, actions,
                    discounted(rewards, self.config), weights, weight, places.seating,
                )
            )  # fmt: skip
        return tuple(parts)


class Single:
    """The only source of a task: whole joint windows of it in every batch.

    Args:
        source: of the task.
        sequences: of single agents that a batch should have of it, over all processes.
        tasks: that share the loss.
    """

    def __init__(self, source: WindowSource, sequences: float, tasks: int) -> None:
        self.sources = (source,)
        #: Joint windows of a batch, over all processes.
        self.windows = max(1, round(sequences / source.num_agents))
        self.num_sequences = self.windows * source.num_agents
        #: Of each sequence in the batch's loss.
        self.weight = 1 / (tasks * self.num_sequences)

    def tensors(self, drawn: Drawn, horizon: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reads windows from the memory maps."""
        return self.sources[0].tensors(drawn.episodes, drawn.starts, horizon)

    def drawer(self, horizon: int, device: torch.device) -> Draw:
        """Draws windows from keys for sources, of which it needs none, and keys for windows."""
        table = self.sources[0].table(horizon, device)
        return lambda _, keys: Drawn(*table.places(keys))


class Drawer:
    """Draws steps on one device, without a word to the host; see `BatchSampler`."""

    def __init__(
        self,
        units: Mapping[int, Single | Mixture],
        config: WorldModelConfig,
        seed: int,
        share: Share,
        device: torch.device,
    ) -> None:
        self._levels = config.diffusion_steps
        self._shape = (config.horizon, 2 * config.latent_size)
        start = hashed(torch.zeros(1, dtype=torch.int64), signed(seed))
        self._draws: list[Draw] = []
        # Keys of the windows of all steps; those of one step hash its number into them.
        self._keys: list[Tensor] = []
        #: Per task, window and agent of each sequence.
        self._rows: list[tuple[Tensor, Tensor]] = []
        for number, unit in units.items():
            windows = torch.arange(share.rank, unit.windows, share.world)
            self._keys.append(hashed(hashed(start, number), windows).to(device))
            if isinstance(unit, Mixture):
                self._draws.append(MixtureDrawer(unit, config.horizon, device).draw)
                rows = torch.from_numpy(unit.window), torch.from_numpy(unit.member)
            else:
                self._draws.append(unit.drawer(config.horizon, device))
                agents = torch.arange(unit.sources[0].num_agents)
                rows = (
                    torch.arange(len(windows)).repeat_interleave(len(agents)),
                    agents.repeat(len(windows)),
                )
            self._rows.append((rows[0].to(device), rows[1].to(device)))

    def places(self, step: Tensor) -> list[Drawn]:
        """Where the windows of a step are, per task.

        Args:
            step: int64 on the device.
        """
        return [
            draw(hashed(keys, step, _SOURCE), hashed(keys, step, _WINDOW))
            for draw, keys in zip(self._draws, self._keys, strict=True)
        ]

    def noise(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Noise levels `(B,)` and standard normal numbers `(B, H, 2 D)` of all sequences."""
        keys = torch.cat(
            [
                hashed(hashed(keys, step, _NOISE)[windows], agents)
                for keys, (windows, agents) in zip(self._keys, self._rows, strict=True)
            ]
        )
        return integers(hashed(keys, _LEVEL), self._levels), normals(keys, self._shape)


def discounted(rewards: Tensor, config: WorldModelConfig) -> Tensor:
    """Discounted sums `(W, N)` float64 of rewards `(W, N, H - 1)`."""
    powers = torch.arange(rewards.shape[-1], device=rewards.device, dtype=torch.float64)
    return (rewards.double() * config.gamma**powers).sum(-1)
