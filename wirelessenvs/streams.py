"""Named random streams: one per source of randomness, none of which depends on actions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Streams", "episode_streams"]


class Streams(NamedTuple):
    """The independent generators of one episode of one environment."""

    layout: np.random.Generator
    channel: np.random.Generator
    traffic: np.random.Generator
    mobility: np.random.Generator


def episode_streams(entropy: int, episode: int) -> Streams:
    """The streams of the `episode`-th episode after seeding an environment with `entropy`.

    Equal to spawning from `SeedSequence(entropy)` once per episode and four times below it, but
    without state: two integers say where an environment stands, so that it can be copied and
    stored. SFC64 is NumPy's fastest bit generator for normals.
    """
    children = np.random.SeedSequence(entropy, spawn_key=(episode,)).spawn(len(Streams._fields))
    return Streams(*(np.random.Generator(np.random.SFC64(child)) for child in children))
