"""The array files of a data set being written: episodes land in place, in any order."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.layout import ArrayLayout
from wirelessenvs.faults import write_error
from wirelessenvs.files import check_regular

__all__ = ["ArrayFiles", "Chunk", "episode_crc32", "storage_fault"]

#: Bytes read at once: what a checksum needs in memory.
_PIECE = 1 << 22


class Chunk:
    """Consecutive steps of some episodes.

    Args:
        episodes: `(B,)` indices in the data set.
        first: step of the first entry.
        arrays: `(B, N, K, ...)` each, `(B, K, N, N)` for "adjacency", `(B, K, S)` for "state". The
            last chunk of an episode has one observation (adjacency, state) more than actions.
    """

    def __init__(
        self, episodes: Sequence[int], first: int, arrays: Mapping[str, NDArray[np.generic]]
    ) -> None:
        self.episodes, self.first, self.arrays = tuple(episodes), first, dict(arrays)

    @property
    def num_steps(self) -> int:
        """Environment steps in it."""
        return int(np.prod(self.arrays["rewards"].shape[::2]))


def storage_fault(path: Path, error: OSError) -> OSError:
    """The error of a failed write as one sentence that says what to do."""
    return write_error(
        path,
        error,
        "Finished episodes are kept: make room and repeat the same command to go on from them.",
    )


class ArrayFiles:
    """Open files of all arrays of a data set; every write goes to its final place.

    Positioned writes, not a writable memory map: written pages never count as this process's
    memory, and a full disk is an error instead of a SIGBUS.

    Args:
        folder: that holds the files.
        layouts: of the arrays, by name.
    """

    def __init__(self, folder: Path, layouts: Mapping[str, ArrayLayout]) -> None:
        self._folder = folder
        self.layouts = dict(layouts)
        self._files: dict[str, int] = {}
        try:
            for name in layouts:
                check_regular(self.path(name))
                self._files[name] = os.open(self.path(name), os.O_RDWR)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ArrayFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def path(self, name: str) -> Path:
        """File of an array."""
        return self._folder / f"{name}.npy"

    @staticmethod
    def create(folder: Path, layouts: Mapping[str, ArrayLayout]) -> None:
        """Makes every file in full size, with its disk space reserved; keeps what is there.

        Raises:
            OSError: if the disk cannot hold them.
        """
        for name, layout in layouts.items():
            path = folder / f"{name}.npy"
            if path.exists():
                check_regular(path)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if os.fstat(handle).st_size != layout.file_bytes:
                    os.ftruncate(handle, 0)
                    if hasattr(os, "posix_fallocate"):
                        os.posix_fallocate(handle, 0, layout.file_bytes)
                    else:  # macOS
                        os.ftruncate(handle, layout.file_bytes)
                # Always: a file of the right size may have been made just before a kill.
                _write_all(handle, layout.header, 0)
            except OSError as error:
                os.ftruncate(handle, 0)
                raise storage_fault(path, error) from None
            finally:
                os.close(handle)

    def write(self, chunk: Chunk) -> None:
        """Puts the steps of a chunk into their places."""
        for name, block in chunk.arrays.items():
            layout, handle = self.layouts[name], self._files[name]
            values = np.ascontiguousarray(block, np.dtype(layout.dtype))
            lead = layout.lead
            rows = values.reshape(*values.shape[:lead], -1).view(np.uint8)
            steps = layout.shape[lead]
            if values.shape[lead + 1 :] != layout.row_shape[1:]:
                raise ValueError(f"{name} must end in {layout.row_shape[1:]}.")
            step_bytes = rows.shape[-1] // values.shape[lead]
            for index in np.ndindex(*rows.shape[:-1]):
                row = rows[index]
                place = layout.offset(chunk.episodes[index[0]]) + step_bytes * (
                    chunk.first + (steps * index[1] if lead == 2 else 0)
                )
                try:
                    _write_all(handle, row.data, place)
                except OSError as error:
                    raise storage_fault(self.path(name), error) from None

    def sync(self) -> None:
        """Returns when all that was written is on the disk."""
        for name, handle in self._files.items():
            try:
                os.fsync(handle)
            except OSError as error:
                raise storage_fault(self.path(name), error) from None

    def crc32(self, episode: int) -> dict[str, int]:
        """Checksum of one episode in every array, as it is on the disk."""
        return {
            name: episode_crc32(self._files[name], layout, episode)
            for name, layout in self.layouts.items()
        }

    def close(self) -> None:
        """Closes the files."""
        for handle in self._files.values():
            os.close(handle)
        self._files = {}


def episode_crc32(handle: int, layout: ArrayLayout, episode: int) -> int:
    """Checksum of the bytes of one episode of an open file."""
    crc, place = 0, layout.offset(episode)
    end = place + layout.episode_bytes
    while place < end:
        piece = os.pread(handle, min(_PIECE, end - place), place)
        if not piece:
            return -1  # the file is shorter than it should be: equal to no checksum
        crc = zlib.crc32(piece, crc)
        place += len(piece)
    return crc


def _write_all(handle: int, data: bytes | memoryview, place: int) -> None:
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(handle, view, place)
        view, place = view[written:], place + written
