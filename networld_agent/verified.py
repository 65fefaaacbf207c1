"""Which files have been compared with their checksums: reading them all again costs minutes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from wirelessenvs.command import replacing
from wirelessenvs.files import check_regular

__all__ = ["VerifiedFiles"]

#: Folders that are remembered, at most.
_MOST: Final = 4096
#: Nanoseconds for which a time stamp says little: another change may have left the same one. Some
#: file systems count seconds in pairs.
_YOUNG_NS: Final = 100_000_000
_YOUNG_WHOLE_SECONDS_NS: Final = 2_500_000_000


class VerifiedFiles:
    """Files of a folder with the checksums that they should have, and whether that was seen.

    A note in the user's cache holds one digest of every file's path, size, times of change, inode
    and stated checksum: if any of these differs, the files count as never seen. Notes are replaced
    at once, so that any number of processes may share them; where they cannot be written, files are
    verified every time.

    Args:
        folder: of the files.
        sums: SHA-256 by path in the folder, as somebody states them.

    Raises:
        OSError: if a file is missing or no regular one.
    """

    def __init__(self, folder: Path, sums: Mapping[str, str]) -> None:
        self._folder, self._sums = os.path.abspath(folder), dict(sums)
        self._digest, self._changed_ns = self._look()
        name = hashlib.sha256(os.fsencode(self._folder)).hexdigest()
        self._note = Path(_cache(), name[:32])

    def _look(self) -> tuple[str, int]:
        rows, changed = [], 0
        for name, sha256 in self._sums.items():
            found = check_regular(f"{self._folder}/{name}")
            times = (found.st_mtime_ns, found.st_ctime_ns)
            rows.append([name, sha256, found.st_size, *times, found.st_ino, found.st_dev])
            changed = max(changed, *times)
        text = repr((self._folder, rows))
        return hashlib.sha256(text.encode()).hexdigest(), changed

    @property
    def known(self) -> bool:
        """Whether exactly these files have been verified before."""
        try:
            check_regular(self._note)
            return self._note.read_bytes() == self._digest.encode()
        except OSError:
            return False

    def remember(self) -> None:
        """Notes that all of them have been verified, since this object was made."""
        young = _YOUNG_NS if self._changed_ns % 1_000_000_000 else _YOUNG_WHOLE_SECONDS_NS
        with suppress(OSError):
            if self._look() != (self._digest, self._changed_ns):
                return  # changed while it was read
            if abs(time.time_ns() - self._changed_ns) < young or not self._note.is_absolute():
                return
            self._note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(self._note) as partial:
                partial.write_bytes(self._digest.encode())
            notes = list(self._note.parent.iterdir())
            if len(notes) > _MOST:
                notes.sort(key=lambda note: note.stat().st_mtime_ns)
                for note in notes[: len(notes) // 2]:
                    note.unlink(missing_ok=True)


def _cache() -> str:
    """Folder of the notes; no absolute path for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # As the standard says: anything but an absolute path does not count.
    home = base if os.path.isabs(base) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "networld_agent", "verified")
