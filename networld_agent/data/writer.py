"""Writes a data set that survives being killed: temporary folder, journal, one rename.

Beside the target `data/x` stands `data/.x.partial` with the arrays in their final size, the
description of what is being made, and a journal of finished episodes with their checksums. An
episode enters the journal only after its bytes are on the disk. The same command finds the folder,
checks the journal against the files and goes on with what is missing. Nothing that is written
depends on the time, on the order of episodes or on interruptions, so that the finished data set is
the same, byte for byte.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.files import ArrayFiles, Chunk, storage_fault
from networld_agent.data.metadata import Description, Metadata
from networld_agent.data.statistics import summarise
from networld_agent.errors import DatasetError
from networld_agent.fields import Fields, read_json
from wirelessenvs.command import replacing
from wirelessenvs.files import read_regular
from wirelessenvs.json_values import canonical_json
from wirelessenvs.locks import try_lock

__all__ = ["DatasetWriter", "partial_folder", "write_episodes"]

_DESCRIPTION, _JOURNAL, _METADATA = "description.json", "journal.jsonl", "metadata.json"


def partial_folder(target: Path) -> Path:
    """Where an unfinished data set is kept."""
    return target.with_name(f".{target.name}.partial")


class DatasetWriter:
    """One data set in the making; a context manager that holds its lock.

    Args:
        target: folder of the finished data set.
        description: of the data set.

    Raises:
        ValueError: if the target or the unfinished folder holds something else, or another process
            is writing it.
        OSError: if the disk cannot take it.
    """

    def __init__(self, target: Path, description: Description) -> None:
        self.target, self.description = target, description
        self.folder = partial_folder(target)
        self._layouts = description.layouts()
        self._crcs: dict[int, dict[str, int]] = {}
        self._lock = -1
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        #: Arrays of the data set, open for writing.
        self.files = ArrayFiles(self.folder, self._layouts)

    # ------------------------------------------------------------------- start
    def _prepare(self) -> None:
        if self.target.exists():
            raise ValueError(f"{self.target} exists already.")
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(self.target.parent, os.W_OK):
                raise PermissionError(13, f"the folder {self.target.parent} is read-only")
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder, os.O_RDONLY)
        except OSError as error:
            raise storage_fault(self.target, error) from None
        if not try_lock(self._lock):
            raise ValueError(f"another process is writing {self.target}: wait for it.")
        self._adopt_description()
        if not (self.folder / _METADATA).exists():
            self._check_space()
            ArrayFiles.create(self.folder, self._layouts)
            self._read_journal()

    def _adopt_description(self) -> None:
        path = self.folder / _DESCRIPTION
        try:
            if (self.folder / _METADATA).exists():
                # Killed just before the rename; who knows when.
                old = Metadata.read(self.folder).description
                if old.difference(self.description) is None:
                    TrajectoryDataset.open(self.folder)
            elif path.exists():
                old = Description.from_json(read_json(path), _DESCRIPTION)
            else:
                # Arrays without a description: killed in its first moments, nothing is lost.
                self._write_text(path, json.dumps(self.description.to_json(), indent=1) + "\n")
                return
        except DatasetError as error:
            raise ValueError(
                f"the unfinished {self.folder} cannot be read ({error}) Delete it to start anew."
            ) from None
        if (found := old.difference(self.description)) is not None:
            raise ValueError(
                f"{self.folder} holds an unfinished data set with other settings: {found}. "
                "Use the same command, another --out, or delete that folder."
            )

    def _check_space(self) -> None:
        missing = 0
        for name, layout in self._layouts.items():
            path = self.folder / f"{name}.npy"
            held = path.stat().st_blocks * 512 if path.exists() else 0
            missing += max(0, layout.file_bytes - held)
        free = shutil.disk_usage(self.folder).free
        if missing > free:
            raise OSError(
                f"cannot write {self.target}: it needs {missing / 1e9:.2f} GB more and the disk "
                f"has {free / 1e9:.2f} GB left."
            )

    def _read_journal(self) -> None:
        """Takes over the journalled episodes whose bytes are as the journal says."""
        path = self.folder / _JOURNAL
        if not path.exists():
            return
        with ArrayFiles(self.folder, self._layouts) as files:
            for line in read_regular(path).split(b"\n"):
                entry = _read_line(line)
                if entry is None:
                    continue
                episode, crcs = entry
                if episode < self.description.num_episodes and files.crc32(episode) == crcs:
                    self._crcs[episode] = crcs

    # ------------------------------------------------------------------- write
    @property
    def finished(self) -> bool:
        """Whether all that is left to do is the rename."""
        return (self.folder / _METADATA).exists()

    @property
    def missing(self) -> list[int]:
        """Episodes that are not safe on the disk yet, in order."""
        if self.finished:
            return []
        return [e for e in range(self.description.num_episodes) if e not in self._crcs]

    def write(self, chunk: Chunk) -> None:
        """Writes some steps; they count once `commit` has returned."""
        self.files.write(chunk)

    def commit(self, episodes: Sequence[int]) -> None:
        """Makes completely written episodes safe."""
        self.files.sync()
        self.record({episode: self.files.crc32(episode) for episode in episodes})

    def record(self, crcs: Mapping[int, dict[str, int]]) -> None:
        """Enters episodes into the journal that are already on the disk, with their checksums."""
        path = self.folder / _JOURNAL
        lines = "".join(_line(episode, crc) for episode, crc in crcs.items())
        try:
            with path.open("ab") as journal:
                # A torn line of a killed process ends here.
                journal.write(b"\n" + lines.encode())
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            raise storage_fault(path, error) from None
        self._crcs.update(crcs)

    def finish(self, progress: Callable[[int], None] | None = None) -> Path:
        """Adds statistics and checksums and gives the data set its name.

        Raises:
            ValueError: if episodes are missing.
        """
        if self.missing:
            raise ValueError(f"{len(self.missing)} episodes are missing, {self.missing[0]} first.")
        if not self.finished:
            statistics, arrays = summarise(self.folder, self.description, progress)
            document = Metadata(self.description, statistics, arrays).to_json()
            self._write_text(self.folder / _METADATA, json.dumps(document, indent=1) + "\n")
        self.files.close()
        for name in (_JOURNAL, _DESCRIPTION):
            (self.folder / name).unlink(missing_ok=True)
        for leftover in self.folder.glob(".partial-*"):
            leftover.unlink()
        try:
            self.folder.rename(self.target)
            _sync_folder(self.target.parent)
        except OSError as error:
            raise storage_fault(self.target, error) from None
        return self.target

    def _write_text(self, path: Path, text: str) -> None:
        try:
            with replacing(path) as partial:
                partial.write_text(text)
            _sync_folder(path.parent)
        except OSError as error:
            raise storage_fault(path, error) from None

    def close(self) -> None:
        """Closes files and lock; the unfinished folder stays."""
        if hasattr(self, "files"):
            self.files.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def write_episodes(
    target: Path,
    description: Description,
    arrays_of: Callable[[int], Mapping[str, NDArray[Any]]],
    report: Callable[[int], None] | None = None,
) -> Path:
    """Writes a data set whose episodes exist already, one after the other.

    Args:
        target: folder of the data set; must not exist.
        description: of the data set.
        arrays_of: an episode's arrays, `(1, N, T, ...)` each, as of `Chunk`.
        report: called with the number of episodes done.
    """
    with DatasetWriter(target, description) as writer:
        for episode in writer.missing:
            writer.write(Chunk((episode,), 0, arrays_of(episode)))
            writer.commit((episode,))
            if report is not None:
                report(episode + 1)
        return writer.finish()


def _line(episode: int, crcs: Mapping[str, int]) -> str:
    text = canonical_json({"episode": episode, "crc32": dict(crcs)})
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def _read_line(line: bytes) -> tuple[int, dict[str, int]] | None:
    """The entry of a journal line; None if the line is torn, or of no writer of ours."""
    check, _, text = line.partition(b" ")
    if check != f"{zlib.crc32(text):08x}".encode():
        return None
    try:
        fields = Fields(json.loads(text), _JOURNAL)
        crcs = fields.sub("crc32")
        return fields.integer("episode"), {name: crcs.integer(name) for name in crcs}
    except (ValueError, RecursionError):
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
