"""Training batches as a pure function of seed and step.

Nothing is drawn from a running generator. Every window of a step has a key of its own, and so has
every sequence in it: a resumed run needs no generator state, every process of a distributed run
draws its own share and nothing else, and a GPU draws for itself what a CPU would have sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from networld_agent.data.windows import WindowSource
from networld_agent.keyed_random import hashed, integers, normals, signed
from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.model.config import WorldModelConfig

__all__ = ["BatchSampler", "Drawer", "Share", "discounted"]

#: Reads observations, actions, rewards and neighbours' weights at `(W,)` episodes and first steps.
Reader = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor, Tensor, Tensor]]

#: What a key is drawn for.
_LEVEL, _WINDOW, _NOISE = 0, 1, 2


@dataclass(frozen=True)
class Share:
    """Which part of each batch a process works on: windows `rank`, `rank + world`, ..."""

    rank: int = 0
    world: int = 1


class BatchSampler:
    """Multi-task batches with an equal share of sequences and of the loss for every source.

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
        per_source = batch_size / len(sources)
        self.windows = [max(1, round(per_source / source.num_agents)) for source in sources]
        self._drawer = self.drawer(torch.device("cpu"))
        if max(self.windows) < self._share.world:
            raise ValueError(
                f"batch_size {batch_size} gives {max(self.windows)} joint windows, fewer than the "
                f"{self._share.world} processes."
            )

    @property
    def num_sequences(self) -> int:
        """Sequences per batch over all processes."""
        pairs = zip(self.windows, self.sources, strict=True)
        return sum(count * source.num_agents for count, source in pairs)

    def weight(self, index: int) -> float:
        """Weight in the loss of each sequence of a source."""
        sequences = self.windows[index] * self.sources[index].num_agents
        return 1 / (len(self.sources) * sequences)

    def drawer(self, device: torch.device) -> Drawer:
        """What draws this process's share of every step on a device."""
        return Drawer(self.sources, self.config, self.windows, self._seed, self._share, device)

    def __call__(self, step: int) -> Batch:
        """The batch of a step, or this process's share of it, on the CPU."""
        return Batch(self.windows_of(step), *self._drawer.noise(torch.tensor(step)))

    def windows_of(self, step: int) -> tuple[TaskBatch, ...]:
        """The windows of a step, without its noise."""
        drawn = self._drawer.places(torch.tensor(step))
        return self.parts(drawn, [source.tensors for source in self.sources])

    def parts(
        self, drawn: Sequence[tuple[Tensor, Tensor]], readers: Sequence[Reader]
    ) -> tuple[TaskBatch, ...]:
        """The windows at drawn places, one part per source that has any.

        Args:
            drawn: per source, episodes and first steps; see `Drawer.places`.
            readers: per source, what reads its windows.
        """
        parts = []
        for i, (source, places, read) in enumerate(zip(self.sources, drawn, readers, strict=True)):
            if not len(places[0]):
                continue
            observations, actions, rewards, weights = read(*places, self.config.horizon)
            returns = discounted(rewards, self.config)
            parts.append(
                TaskBatch(source.task, observations, actions, returns, weights, self.weight(i))
            )
        return tuple(parts)


class Drawer:
    """Draws steps on one device, without a word to the host; see `BatchSampler`."""

    def __init__(
        self,
        sources: Sequence[WindowSource],
        config: WorldModelConfig,
        windows: Sequence[int],
        seed: int,
        share: Share,
        device: torch.device,
    ) -> None:
        self._tables = [source.table(config.horizon, device) for source in sources]
        self._agents = [torch.arange(source.num_agents, device=device) for source in sources]
        self._levels = config.diffusion_steps
        self._shape = (config.horizon, 2 * config.latent_size)
        start = hashed(torch.zeros(1, dtype=torch.int64), signed(seed))
        # Keys of the windows of all steps; those of one step hash its number into them.
        self._keys = [
            hashed(hashed(start, i), torch.arange(share.rank, count, share.world)).to(device)
            for i, count in enumerate(windows)
        ]

    def places(self, step: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per source, the `(W,)` episodes and the `(W,)` first steps of its windows.

        Args:
            step: int64 on the device.
        """
        return [
            table.places(hashed(keys, step, _WINDOW))
            for table, keys in zip(self._tables, self._keys, strict=True)
        ]

    def noise(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Noise levels `(B,)` and standard normal numbers `(B, H, 2 D)` of all sequences."""
        keys = torch.cat(
            [
                hashed(keys[:, None], step, _NOISE, agents).flatten()
                for agents, keys in zip(self._agents, self._keys, strict=True)
            ]
        )
        return integers(hashed(keys, _LEVEL), self._levels), normals(keys, self._shape)


def discounted(rewards: Tensor, config: WorldModelConfig) -> Tensor:
    """Discounted sums `(W, N)` float64 of rewards `(W, N, H - 1)`."""
    powers = torch.arange(rewards.shape[-1], device=rewards.device, dtype=torch.float64)
    return (rewards.double() * config.gamma**powers).sum(-1)
