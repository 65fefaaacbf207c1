"""Locks on files and folders that go with their process, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: everything that locks nothing can be imported
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked", "sole_user", "try_lock"]


def try_lock(handle: int) -> bool:
    """Locks an open file or folder, if nobody else holds it; closing the handle frees it.

    Raises:
        OSError: where there are no such locks.
    """
    if fcntl is None:
        raise OSError("writing needs the file locks of Linux or macOS, which are missing here.")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Holds the lock of a folder, or of a file, which is made, while the body runs.

    Yields:
        Whether it was free.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags, 0o666)
    try:
        yield try_lock(handle)
    finally:
        os.close(handle)


@contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder, which is made.

    Raises:
        ValueError: if another process holds it; the sentence names it where the system tells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder) as free:
        if not free:
            raise ValueError(
                f"another process{_holder(folder)} works in {folder}: wait for it, or choose "
                "another --out."
            )
        yield


def _holder(folder: Path) -> str:
    """The process that holds a folder's lock, in words; nothing where the system does not tell."""
    with suppress(OSError, IndexError):
        ending = f":{folder.stat().st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[5].endswith(ending) and words[4] != "-1":
                return f" ({words[4]})"
    return ""
