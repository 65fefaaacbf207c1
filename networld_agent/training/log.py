"""The log of a run: JSON lines always, TensorBoard on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from networld_agent.documents import write_whole
from wirelessenvs.faults import writing
from wirelessenvs.files import read_regular

__all__ = ["RunLog"]


def _step(line: str) -> int:
    """The step of a line; -1 if it was torn by a kill, or damaged."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return -1
    return step if type(step) is int else -1


class RunLog:
    """Appends one JSON object per line to `metrics.jsonl`.

    Args:
        folder: of the run.
        first_step: lines of this step and later ones, written by a killed process that had got
            further than its checkpoint, are dropped.
        tensorboard: also write TensorBoard's files.

    Raises:
        ImportError: if TensorBoard is asked for and not installed.
        OSError: naming the file that cannot be written, as in every call.
    """

    def __init__(self, folder: Path, first_step: int = 0, tensorboard: bool = False) -> None:
        path, board = folder / "metrics.jsonl", folder / "tensorboard"
        self._path, self._tensorboard = path, board
        kept = []
        if path.exists():
            for line in read_regular(path).decode(errors="replace").splitlines():
                if 0 <= _step(line) <= first_step:
                    kept.append(line + "\n")
        write_whole(path, "".join(kept).encode())
        self._file = path.open("a")
        self._board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise ImportError(
                    "TensorBoard is not installed: pip install 'wirelessenvs[tensorboard]'."
                ) from None
            with writing(board):
                self._board = SummaryWriter(str(board), purge_step=first_step)

    def __call__(self, step: int, values: dict[str, float]) -> None:
        """Writes the values of a step."""
        with writing(self._path):
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()
        if self._board is not None:
            with writing(self._tensorboard):
                for name, value in values.items():
                    self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Closes the files."""
        with writing(self._path):
            self._file.close()
        if self._board is not None:
            with writing(self._tensorboard):
                self._board.close()
