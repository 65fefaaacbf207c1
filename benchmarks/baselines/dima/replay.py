"""All real steps of an online run, and its files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.dima.memory import Indices, Memory, Rows
from benchmarks.baselines.online.collector import Rollout
from benchmarks.baselines.online.team_env import TeamEnv
from networld_agent.documents import write_whole
from networld_agent.errors import ModelError
from networld_agent.storage import fitting
from wirelessenvs.files import read_regular

__all__ = ["Replay"]

_KEPT: Final = ("states", "observations", "actions", "rewards", "terminated", "truncated")
_ENDS: Final = ("next_states", "next_observations")
_NONE: Final = torch.zeros(0, 32, dtype=torch.uint8)
_NAME = re.compile(r"steps-\d{6}\.safetensors")


class Replay(Memory):
    """One stream per environment, from the first step on; nothing is forgotten.

    Of its files, each holds the steps between two checkpoints: none is ever written twice.

    Args:
        env: whose steps it keeps.
        newest: share of a run that counts as new.
        favour: share of the starts of imagination that are drawn from there.
    """

    def __init__(self, env: TeamEnv, newest: float = 0.25, favour: float = 0.7) -> None:
        self._newest, self._favour = newest, favour
        components = () if env.codec.discrete else (env.codec.size,)
        kind = np.int64 if env.codec.discrete else np.float32
        self._clip = not env.codec.discrete
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "states": ((env.state_size,), np.float32),
            "observations": ((env.num_agents, env.observation_size), np.float32),
            "actions": ((env.num_agents, *components), kind),
            "rewards": ((), np.float32),
            "terminated": ((), np.bool_),
            "real": ((), np.bool_),
        }
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.zeros((env.batch, 0, *shape), dtype) for name, (shape, dtype) in shapes.items()
        }
        self._counts = np.zeros(env.batch, np.int64)
        # Real steps in the order of time, as stream and row.
        self._steps: list[Indices] = []
        self._order = np.zeros((0, 2), np.int64)
        self._merged = 0
        self._pending = np.zeros(env.batch, np.bool_)
        self._unsaved: list[Rollout] = []
        #: SHA-256 of every file, `(32,)` bytes each.
        self._digests: list[bytes] = []

    def __len__(self) -> int:
        """Number of real steps."""
        return sum(map(len, self._steps))

    # ------------------------------------------------------------------- writing
    def add(self, rollout: Rollout) -> None:
        """Appends what was played, also to the file that `save` writes next."""
        self._unsaved.append(rollout)
        self._append(rollout)

    def _append(self, rollout: Rollout) -> None:
        values = {name: getattr(rollout, name).numpy() for name in (*_KEPT, *_ENDS)}
        if self._clip:
            values["actions"] = values["actions"].clip(-1, 1)
        steps, batch = values["rewards"].shape
        over = values["terminated"] | values["truncated"]
        self._grow(int((self._counts + steps + over.sum(0)).max()))
        everywhere = np.arange(batch)
        for t in range(steps):
            rows = self._counts.copy()
            for name in ("states", "observations", "actions", "rewards", "terminated"):
                self._arrays[name][everywhere, rows] = values[name][t]
            self._arrays["real"][everywhere, rows] = True
            self._steps.append(np.stack([everywhere, rows], 1))
            self._counts += 1
            ended = np.flatnonzero(over[t])
            self._arrays["states"][ended, self._counts[ended]] = values["next_states"][t, ended]
            self._arrays["observations"][ended, self._counts[ended]] = values["next_observations"][
                t, ended
            ]
            self._counts[ended] += 1
        # The newest state, which the last step has led to: overwritten when it is acted in.
        self._grow(int(self._counts.max()) + 1)
        running = np.flatnonzero(~over[-1])
        for name in ("states", "observations"):
            last = values[f"next_{name}"][-1, running]
            self._arrays[name][running, self._counts[running]] = last
        self._pending = ~over[-1]

    def _grow(self, rows: int) -> None:
        held = self._arrays["real"].shape[1]
        if rows <= held:
            return
        more = max(rows, 2 * held) - held
        for name, array in self._arrays.items():
            blank = np.zeros((array.shape[0], more, *array.shape[2:]), array.dtype)
            self._arrays[name] = np.concatenate([array, blank], 1)

    # ------------------------------------------------------------------- reading
    def choose(
        self, count: int, rng: np.random.Generator, newest: bool = False
    ) -> tuple[Indices, Indices]:
        """Random real steps; with `newest`, most of them from the last quarter of the run."""
        if len(self._order) < len(self):
            self._order = np.concatenate([self._order, *self._steps[self._merged :]])
            self._merged = len(self._steps)
        held = len(self._order)
        picked = rng.integers(held, size=count)
        if newest:
            young = max(1, round(self._newest * held))
            recent = held - 1 - rng.integers(young, size=count)
            picked = np.where(rng.random(count) < self._favour, recent, picked)
        return self._order[picked, 0], self._order[picked, 1]

    def read(self, streams: Indices, rows: Indices) -> Rows:
        """Copies of the rows that were asked for."""
        return Rows(**{name: array[streams, rows] for name, array in self._arrays.items()})

    def lengths(self, streams: Indices) -> Indices:
        """Rows of the streams, the newest state included."""
        found: Indices = (self._counts + self._pending)[streams]
        return found

    # --------------------------------------------------------------------- files
    def save(self, folder: Path) -> Tensor:
        """Writes what was added since the last call; SHA-256 `(files, 32)` of all files now."""
        if self._unsaved:
            columns = {
                name: torch.cat([getattr(rollout, name) for rollout in self._unsaved])
                for name in (*_KEPT, *_ENDS)
            }
            over = columns["terminated"] | columns["truncated"]
            over[-1] = True
            # What a step led to is the next row, but at the ends.
            for name in _ENDS:
                columns[name] = columns[name][over]
            data = safetensors.torch.save(columns)
            write_whole(_file(folder, len(self._digests)), data)
            self._digests.append(hashlib.sha256(data).digest())
            self._unsaved = []
        rows = bytearray(b"".join(self._digests))
        return torch.frombuffer(rows, dtype=torch.uint8).view(-1, 32) if rows else _NONE.clone()

    def load(self, folder: Path, digests: Tensor) -> None:
        """Reads the first files of a run; later ones, of a killed process, are deleted.

        Args:
            folder: of the files.
            digests: as `save` returned them.

        Raises:
            ModelError: if one is missing or damaged.
        """
        if digests.dtype != torch.uint8 or digests.shape[1:] != (32,):
            raise ModelError(f"{folder}: the checkpoint holds no checksums of it.")
        for index, row in enumerate(digests):
            path, digest = _file(folder, index), bytes(row.tolist())
            data = _checked(path, digest)
            with fitting(path):
                columns = safetensors.torch.load(data)
                over = columns["terminated"] | columns["truncated"]
                over[-1] = True
                for name in _ENDS:
                    full = torch.zeros((*over.shape, *columns[name].shape[1:]))
                    full[over] = columns[name]
                    columns[name] = full
                self._append(Rollout(log_probs=columns["rewards"], **columns))
            self._digests.append(digest)
        for path in folder.glob("steps-*.safetensors"):
            if _NAME.fullmatch(path.name) and int(path.stem.partition("-")[2]) >= len(digests):
                path.unlink()


def _file(folder: Path, index: int) -> Path:
    return folder / f"steps-{index:06d}.safetensors"


def _checked(path: Path, digest: bytes) -> bytes:
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing: delete the run to start anew.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    if hashlib.sha256(data).digest() != digest:
        raise ModelError(
            f"{path}: does not fit its checksum: the file was changed: delete the run to start "
            "anew."
        )
    return data
