"""Collection in worker processes that write straight into the files of the data set."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import traceback
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.sources import EpisodeSource
from networld_agent.data.files import ArrayFiles
from networld_agent.data.layout import ArrayLayout
from networld_agent.data.writer import DatasetWriter
from networld_agent.orphans import end_with_parent
from wirelessenvs.faults import WriteError, fault_sentence

__all__ = ["play_in_processes"]

#: Faults that are no traceback, by name: the first that fits is raised again.
_EXPECTED = {
    kind.__name__: kind
    for kind in (ValueError, TypeError, ImportError, WriteError, OSError, MemoryError)
}


def play_in_processes(
    settings: CollectionSettings,
    blocks: Sequence[tuple[int, ...]],
    writer: DatasetWriter,
    jobs: int,
    progress: Callable[[int], None],
) -> None:
    """Plays blocks in `jobs` processes; each reports checksums of what is safe on the disk.

    Raises:
        Exception: the first fault of a worker; the others are ended.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(blocks)[::-1]
    workers: dict[Connection, Any] = {}
    try:
        for _ in range(min(jobs, len(blocks))):
            ours, theirs = context.Pipe()
            arguments = (theirs, settings, writer.folder, writer.files.layouts)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            theirs.close()
            workers[ours] = process
            ours.send(waiting.pop())
        while workers:
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                try:
                    kind, content = connection.recv()
                    if kind == "done":
                        writer.record(content)
                        connection.send(waiting.pop() if waiting else None)
                except (EOFError, ConnectionError):
                    process = workers[connection]
                    process.join(5)
                    raise RuntimeError(
                        f"a worker process ended unexpectedly (status {process.exitcode}); "
                        "finished episodes are kept: repeat the same command to go on from them."
                    ) from None
                if kind == "steps":
                    progress(content)
                elif kind == "fault":
                    raise _EXPECTED.get(content[0], RuntimeError)(content[1])
                elif kind == "over":
                    workers.pop(connection).join()
    finally:
        for process in workers.values():
            process.kill()
            process.join()


def _work(
    connection: Connection,
    settings: CollectionSettings,
    folder: Path,
    layouts: dict[str, ArrayLayout],
) -> None:
    """A worker's life: plays blocks until it is told None."""
    # Ctrl-C reaches the whole process group; the parent answers for all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(grace_s=0)  # what is finished is in the journal
    warnings.simplefilter("ignore")  # the parent has shown them
    try:
        with (
            contextlib.closing(EpisodeSource(settings)) as source,
            ArrayFiles(folder, layouts) as files,
        ):
            while (block := connection.recv()) is not None:
                for chunk in source.play(block):
                    files.write(chunk)
                    connection.send(("steps", chunk.num_steps))
                files.sync()
                connection.send(("done", {episode: files.crc32(episode) for episode in block}))
        connection.send(("over", None))
    except tuple(_EXPECTED.values()) as error:
        kind = next(name for name, known in _EXPECTED.items() if isinstance(error, known))
        memory = isinstance(error, MemoryError)  # its sentence is the command's
        connection.send(("fault", (kind, str(error) if memory else fault_sentence(error))))
    except Exception:
        connection.send(("fault", ("", traceback.format_exc())))
