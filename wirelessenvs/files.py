"""Reading files that somebody else may have put there: only regular ones, never a pipe."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["check_regular", "open_regular", "read_regular"]


def check_regular(path: str | Path) -> os.stat_result:
    """Size and times of a regular file, or of the one that a link leads to.

    Raises:
        OSError: if there is none. Asked before anything is opened: a pipe would block for ever, a
            device may have no end.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return found


def open_regular(path: Path) -> BinaryIO:
    """The file, open for reading.

    Raises:
        OSError: as `check_regular`, or if it cannot be read.
    """
    check_regular(path)
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: as `check_regular`, or if it cannot be read.
    """
    check_regular(path)
    return path.read_bytes()
