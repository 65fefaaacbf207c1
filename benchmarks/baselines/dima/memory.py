"""Pieces of episodes out of whatever remembers them: a replay memory, or a stored data set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.dima.config import BatchShape
from benchmarks.baselines.dima.sequences import Context, Sequences

__all__ = ["Indices", "Memory", "Rows", "Start", "Streams"]

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Steps of streams, at any index shape `(...)`.

    A stream is one episode after the other. An episode of T steps has T + 1 rows: the last holds
    the state that it ended in, and its step is not real.

    Args:
        states: `(..., S)` float32.
        observations: `(..., n, O)` float32.
        actions: `(..., n)` int64 or `(..., n, A)` float32 in [-1, 1].
        rewards: `(...)` float32.
        terminated: `(...)` booleans.
        real: `(...)` booleans, false where the row is the end of an episode.
    """

    states: NDArray[np.float32]
    observations: NDArray[np.float32]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    real: NDArray[np.bool_]

    def blanked(self, where: NDArray[np.bool_]) -> Rows:
        """Zero, and not real, in some places; changes these arrays."""
        for array in vars(self).values():
            array[where] = 0
        return self


@dataclass(frozen=True)
class Start:
    """Real steps from which imagination begins.

    Args:
        context: of the world model.
        observations: `(B, n, O)` of the present states.
    """

    context: Context
    observations: torch.Tensor

    def to(self, device: torch.device) -> Start:
        """The same on a device."""
        context = self.context
        moved = (tensor.to(device) for tensor in (context.states, context.actions, context.valid))
        return Start(Context(*moved), self.observations.to(device))


class Streams(ABC):
    """Streams of joint steps, and pieces of them."""

    @abstractmethod
    def read(self, streams: Indices, rows: Indices) -> Rows:
        """Copies of rows that exist; both indices have the same shape."""

    @abstractmethod
    def lengths(self, streams: Indices) -> Indices:
        """Rows that each of the streams has now."""

    def pieces(self, streams: Indices, first: Indices, steps: int) -> Sequences:
        """Pieces of streams; what lies outside of these is padding.

        Args:
            streams: `(B,)`.
            first: `(B,)` rows; may be negative.
            steps: L.
        """
        rows = self._padded(streams, first, steps + 1)
        following = rows.real[:, :-1]
        return Sequences(
            torch.from_numpy(rows.states),
            torch.from_numpy(rows.observations),
            torch.from_numpy(np.ascontiguousarray(rows.actions[:, :-1])),
            torch.from_numpy(np.ascontiguousarray(rows.rewards[:, :-1])),
            torch.from_numpy(np.ascontiguousarray(rows.terminated[:, :-1])),
            torch.from_numpy(np.ascontiguousarray(following)),
        )

    def _padded(self, streams: Indices, first: Indices, length: int) -> Rows:
        rows = first[:, None] + np.arange(length)
        ends = self.lengths(streams)[:, None]
        outside = (rows < 0) | (rows >= ends)
        wide = np.broadcast_to(streams[:, None], rows.shape)
        return self.read(wide, np.clip(rows, 0, ends - 1)).blanked(outside)


class Memory(Streams):
    """Streams, and random pieces of them."""

    @abstractmethod
    def choose(
        self, count: int, rng: np.random.Generator, newest: bool = False
    ) -> tuple[Indices, Indices]:
        """Random real steps, as stream and row `(count,)` each.

        Args:
            count: how many.
            rng: that draws them.
            newest: favour what was seen last, where the memory knows what that is.
        """

    def batch(self, part: str, shape: BatchShape, rng: np.random.Generator) -> Sequences:
        """What one update of a part of the world model takes.

        Pieces for the denoiser end at every step alike, all others begin at every step alike.

        Args:
            part: its name.
            shape: rows and steps.
            rng: that draws the pieces.
        """
        streams, rows = self.choose(shape.rows, rng)
        first = rows - shape.steps + 1 if part == "denoiser" else rows
        return self.pieces(streams, first, shape.steps)

    def starts(self, count: int, size: int, rng: np.random.Generator) -> Start:
        """Starts of imagination, with what came before them in their episodes.

        Args:
            count: B.
            size: C, states of a context.
            rng: that draws them.
        """
        streams, present = self.choose(count, rng, newest=True)
        rows = self._padded(streams, present - size + 1, size)
        # The past reaches back to the beginning of the present episode.
        past = rows.real[:, :-1][:, ::-1].cumprod(1)[:, ::-1].astype(np.bool_)
        valid = np.concatenate([past, np.ones((count, 1), np.bool_)], 1)
        seen = np.ascontiguousarray(rows.observations[:, -1])
        rows = rows.blanked(~valid)
        context = Context(
            torch.from_numpy(rows.states),
            torch.from_numpy(np.ascontiguousarray(rows.actions[:, :-1])),
            torch.from_numpy(valid),
        )
        return Start(context, torch.from_numpy(seen))
