"""Training batches as a pure function of seed and step.

Nothing is drawn from a running generator: a resumed run needs no generator state, and every process
of a distributed run cuts its share out of one and the same batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.model.config import WorldModelConfig
from networld_agent.training.windows import WindowSource

__all__ = ["BatchSampler", "Share"]


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
        self._sources, self._config, self._seed = tuple(sources), config, seed
        self._share = share or Share()
        for source in sources:
            source.starts(config.horizon)
        per_source = batch_size / len(sources)
        self.windows = [max(1, round(per_source / source.num_agents)) for source in sources]
        if max(self.windows) < self._share.world:
            raise ValueError(
                f"batch_size {batch_size} gives {max(self.windows)} joint windows, fewer than the "
                f"{self._share.world} processes."
            )

    @property
    def num_sequences(self) -> int:
        """Sequences per batch over all processes."""
        pairs = zip(self.windows, self._sources, strict=True)
        return sum(count * source.num_agents for count, source in pairs)

    def __call__(self, step: int) -> Batch:
        """The batch of a step, or this process's share of it."""
        entropy = np.random.SeedSequence([self._seed, step])
        rng = np.random.Generator(np.random.PCG64(entropy))
        config, share = self._config, self._share
        parts, rows, offset = [], [], 0
        for source, count in zip(self._sources, self.windows, strict=True):
            drawn = source.draw(count, config.horizon, rng)
            mine = np.arange(share.rank, count, share.world)
            agents = source.num_agents
            rows.append((offset + mine[:, None] * agents + np.arange(agents)).ravel())
            offset += count * agents
            if not len(mine):
                continue
            discount = config.gamma ** np.arange(config.horizon - 1)
            dynamic = drawn.mean_weights.ndim == 4
            parts.append(
                TaskBatch(
                    source.task,
                    torch.from_numpy(drawn.observations[mine]),
                    torch.from_numpy(drawn.actions[mine]),
                    torch.from_numpy(drawn.rewards[mine] @ discount),
                    torch.from_numpy(drawn.mean_weights[mine] if dynamic else drawn.mean_weights),
                    1 / (len(self._sources) * count * agents),
                )
            )
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        tau = torch.randint(config.diffusion_steps, (offset,), generator=generator)
        noise = torch.randn(offset, config.horizon, 2 * config.latent_size, generator=generator)
        if share.world > 1:
            chosen = torch.from_numpy(np.concatenate(rows))
            tau, noise = tau[chosen], noise[chosen]
        return Batch(tuple(parts), tau, noise)
