"""Collection on a Ray cluster: workers stream steps back, this process writes them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.sources import EpisodeSource
from networld_agent.data.files import Chunk
from networld_agent.data.writer import DatasetWriter

__all__ = ["play_on_ray"]

#: Pieces that a worker may be ahead of this process: bounds the memory of the cluster.
_AHEAD = 4


def _play(settings: CollectionSettings, block: tuple[int, ...]) -> Iterator[Any]:
    with contextlib.closing(EpisodeSource(settings)) as source:
        for chunk in source.play(block):
            yield chunk.episodes, chunk.first, chunk.arrays


def _check_reachable(address: str) -> None:
    """Ray itself waits for minutes for a cluster that is not there."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ConnectionError(f"there is no Ray cluster at {address}: {error}.") from None


def play_on_ray(
    settings: CollectionSettings,
    blocks: Sequence[tuple[int, ...]],
    writer: DatasetWriter,
    jobs: int,
    address: str,
    progress: Callable[[int], None],
) -> None:
    """Plays blocks on a cluster; nodes need this package but no common file system.

    Args:
        settings: of the collection.
        blocks: episodes to play.
        writer: of the data set.
        jobs: workers of a local cluster; the number of blocks in work elsewhere.
        address: "local", "auto" or that of a cluster.
        progress: called with the steps written.

    Raises:
        ImportError: if Ray is not installed.
        ConnectionError: if there is no cluster at the address.
    """
    try:
        import ray
    except ImportError:
        raise ImportError("--ray needs Ray: pip install 'wirelessenvs[ray]'.") from None
    # Ray must neither report home nor build a new environment for its workers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        ray.init(num_cpus=jobs, include_dashboard=False, **options)
    else:
        _check_reachable(address)
        ray.init(address=address, **options)
    try:
        remote = ray.remote(_play).options(
            num_returns="streaming", _generator_backpressure_num_objects=_AHEAD
        )
        shared = ray.put(settings)
        waiting = list(blocks)[::-1]
        running: dict[Any, tuple[int, ...]] = {}
        while waiting or running:
            while waiting and len(running) < jobs:
                block = waiting.pop()
                running[remote.remote(shared, block)] = block
            ready, _ = ray.wait(list(running), num_returns=1, fetch_local=False)
            generator: Any = ready[0]
            try:
                piece = next(generator)
            except StopIteration:
                writer.commit(running.pop(generator))
                continue
            chunk = Chunk(*ray.get(piece))
            writer.write(chunk)
            progress(chunk.num_steps)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, (ValueError, TypeError, OSError)) else error from None
    finally:
        ray.shutdown()
