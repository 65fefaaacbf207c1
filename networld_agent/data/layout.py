"""Arrays on disk: `.npy` files whose headers are written and read without trust.

A header is matched against one regular expression: nothing in it is evaluated, whatever it says.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from networld_agent.errors import DatasetError
from wirelessenvs.files import open_regular

__all__ = ["ArrayLayout", "header_bytes", "map_array", "read_header"]

_MAGIC = b"\x93NUMPY\x01\x00"
_DTYPES = ("<f4", "<f8", "<i4", "|u1")
_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[a-zA-Z]\d{1,4})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18},?)?)\), \} *\n"
)
_MAX_HEADER = 4096


@dataclass(frozen=True)
class ArrayLayout:
    """Type and shape of one array; axis 0 is the episode.

    Args:
        dtype: as in a `.npy` header, "<f4".
        shape: `(E, ...)`.
        lead: axes before the step: episode and agent, or the episode alone.
    """

    dtype: str
    shape: tuple[int, ...]
    lead: int = 2

    @property
    def header(self) -> bytes:
        """The bytes before the values."""
        return header_bytes(self.dtype, self.shape)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Steps of one agent in one episode (of all agents, without an axis for them)."""
        return self.shape[self.lead :]

    @property
    def episode_bytes(self) -> int:
        """Bytes of one episode, which lie together."""
        return math.prod(self.shape[1:]) * np.dtype(self.dtype).itemsize

    @property
    def file_bytes(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + self.shape[0] * self.episode_bytes

    def offset(self, episode: int) -> int:
        """Position in the file of an episode's first byte."""
        return len(self.header) + episode * self.episode_bytes


def header_bytes(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of a `.npy` file, version 1.0: the same bytes under every NumPy version."""
    listed = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({listed}), }}"
    unpadded = len(_MAGIC) + 2 + len(text) + 1
    body = (text + " " * (-unpadded % 64) + "\n").encode("ascii")
    return _MAGIC + len(body).to_bytes(2, "little") + body


def read_header(path: Path) -> tuple[str, tuple[int, ...], int]:
    """Type, shape and length of the header of a `.npy` file.

    Raises:
        DatasetError: naming the field that is not as this format writes it.
    """
    name = path.name
    try:
        with open_regular(path) as file:
            start = file.read(len(_MAGIC) + 2)
            length = int.from_bytes(start[len(_MAGIC) :], "little")
            body = file.read(min(length, _MAX_HEADER))
    except FileNotFoundError:
        raise DatasetError(f"{path}: the file is missing.") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}.") from None
    if len(start) < len(_MAGIC) + 2 or not start.startswith(_MAGIC):
        raise DatasetError(f"{name}: field 'magic' at byte 0 is not that of a .npy file, v1.0.")
    if length > _MAX_HEADER or len(body) < length:
        raise DatasetError(
            f"{name}: field 'header length' at byte 8 is {length}, which the file does not hold."
        )
    match = _HEADER.fullmatch(body)
    if match is None:
        raise DatasetError(f"{name}: the header at byte 10 is not a plain array's.")
    dtype, order = match.group(1).decode(), match.group(2)
    if dtype not in _DTYPES:
        raise DatasetError(
            f"{name}: field 'descr' of the header is {dtype!r}, must be one of {_DTYPES}."
        )
    if order != b"False":
        raise DatasetError(f"{name}: field 'fortran_order' of the header must be False.")
    shape = tuple(int(size) for size in match.group(3).replace(b" ", b"").split(b",") if size)
    return dtype, shape, len(start) + length


def map_array(path: Path, layout: ArrayLayout) -> NDArray[np.generic]:
    """The array of a file, mapped read-only, after header and size have been checked.

    Raises:
        DatasetError: naming the field that differs from `layout`.
    """
    dtype, shape, offset = read_header(path)
    if dtype != layout.dtype:
        raise DatasetError(
            f"{path.name}: field 'descr' of the header is {dtype!r}, "
            f"metadata.json says {layout.dtype!r}."
        )
    if shape != layout.shape:
        raise DatasetError(
            f"{path.name}: field 'shape' of the header is {shape}, "
            f"metadata.json says {layout.shape}."
        )
    size, expected = os.path.getsize(path), offset + layout.shape[0] * layout.episode_bytes
    if size != expected:
        episode = max(0, size - offset) // layout.episode_bytes
        where = f", so that episode {episode} is cut" if size < expected else ""
        raise DatasetError(f"{path.name}: has {size} bytes instead of {expected}{where}.")
    return np.asarray(np.memmap(path, np.dtype(dtype), "r", offset, shape))
