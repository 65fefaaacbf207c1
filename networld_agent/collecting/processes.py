"""Collection in worker processes that write straight into the files of data sets."""

from __future__ import annotations

import functools
import multiprocessing
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.sources import EpisodeSource
from networld_agent.data.files import ArrayFiles
from networld_agent.data.layout import ArrayLayout
from networld_agent.data.writer import DatasetWriter
from networld_agent.orphans import end_with_parent
from wirelessenvs.faults import WriteError, fault_sentence

__all__ = ["Work", "play_in_processes", "share_out"]

T = TypeVar("T")
R = TypeVar("R")

#: Does one item; tells how many steps have been written since it last did.
Work = Callable[[T, Callable[[int], None]], R]
Blocks = Work[tuple[int, ...], dict[int, dict[str, int]]]

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
    prepare = functools.partial(_blocks, settings, writer.folder, writer.files.layouts)
    share_out(prepare, blocks, jobs, writer.record, progress)


@contextmanager
def _blocks(
    settings: CollectionSettings, folder: Path, layouts: dict[str, ArrayLayout]
) -> Iterator[Blocks]:
    with closing(EpisodeSource(settings)) as source, ArrayFiles(folder, layouts) as files:

        def play(
            block: tuple[int, ...], progress: Callable[[int], None]
        ) -> dict[int, dict[str, int]]:
            for chunk in source.play(block):
                files.write(chunk)
                progress(chunk.num_steps)
            files.sync()
            return {episode: files.crc32(episode) for episode in block}

        yield play


def share_out(
    prepare: Callable[[], AbstractContextManager[Work[T, R]]],
    items: Sequence[T],
    jobs: int,
    done: Callable[[R], object],
    progress: Callable[[int], None],
) -> None:
    """Does all items in `jobs` processes.

    Args:
        prepare: makes what does an item, once per process; can be pickled.
        items: to do.
        jobs: processes.
        done: called with each item's result.
        progress: called with steps that have been written.

    Raises:
        Exception: the first fault of a worker; the others are ended.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(items)[::-1]
    workers: dict[Connection, Any] = {}
    try:
        for _ in range(min(jobs, len(items))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, prepare), daemon=True)
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
                        done(content)
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
    connection: Connection, prepare: Callable[[], AbstractContextManager[Work[Any, Any]]]
) -> None:
    """A worker's life: does items until it is told None."""
    # Ctrl-C reaches the whole process group; the parent answers for all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(grace_s=0)  # what is finished is in the journal
    warnings.simplefilter("ignore")  # the parent has shown them
    try:
        with prepare() as work:
            while (item := connection.recv()) is not None:
                result = work(item, lambda steps: connection.send(("steps", steps)))
                connection.send(("done", result))
        connection.send(("over", None))
    except tuple(_EXPECTED.values()) as error:
        kind = next(name for name, known in _EXPECTED.items() if isinstance(error, known))
        memory = isinstance(error, MemoryError)  # its sentence is the command's
        connection.send(("fault", (kind, str(error) if memory else fault_sentence(error))))
    except Exception:
        connection.send(("fault", ("", traceback.format_exc())))
