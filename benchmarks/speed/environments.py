"""Steps per second beside other multi-agent packages, in one run on one machine.

    pip install '.[peers]'
    python benchmarks/speed/environments.py

The tasks differ: a step of coordinated beamforming simulates 361 fading links, a step of slicing a
second of traffic of 2,000 users, a step of a particle environment 19 points on a plane. The table
says what a user of each package waits for, not whose code is better. Every row has 19 agents
(resource blocks: 9), prepared random actions, and one process.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wirelessenvs.bench import (
    PREPARED_ACTIONS,
    Speed,
    measure,
    time_parallel,
    time_vector,
    write_speeds,
)
from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import check_targets, run
from wirelessenvs.machine import machine_lines
from wirelessenvs.topology import hexagonal_grid

NUM_AGENTS = 19


def time_mobile_env(seconds: float) -> Speed:
    """mobile-env: 19 base stations on a hexagonal grid, 19 users as agents."""
    from mobile_env.core.base import MComCore
    from mobile_env.core.entities import BaseStation, UserEquipment
    from mobile_env.core.util import deep_dict_merge
    from mobile_env.handlers.multi_agent import MComMAHandler

    centres = hexagonal_grid(2, 69.28) + 180.0

    class Hexagonal(MComCore):
        """Custom scenario with the cell layout of our slicing task."""

        def __init__(self) -> None:
            config = deep_dict_merge(
                self.default_config(),
                {"width": 360, "height": 360, "handler": MComMAHandler},
            )
            stations = [
                BaseStation(index, tuple(centre), **config["bs"])
                for index, centre in enumerate(centres)
            ]
            users = [UserEquipment(index, **config["ue"]) for index in range(NUM_AGENTS)]
            super().__init__(stations, users, config)

    env = Hexagonal()
    env.reset()
    rng = np.random.default_rng(0)
    actions = [
        {user: int(rng.integers(0, NUM_AGENTS + 1)) for user in env.users}
        for _ in range(PREPARED_ACTIONS)
    ]

    def step(call: int) -> None:
        *_, truncated, _ = env.step(actions[call % PREPARED_ACTIONS])
        if env.time_is_up or truncated is True:
            env.reset()

    return measure("mobile-env, 19 BSs, 19 users", NUM_AGENTS, 1, step, seconds)


def time_simple_spread(seconds: float) -> Speed:
    """MPE2 simple_spread with 19 agents, PettingZoo parallel."""
    from mpe2 import simple_spread_v3

    env = simple_spread_v3.parallel_env(N=NUM_AGENTS, max_cycles=1000)
    env.reset(seed=0)
    agents = env.possible_agents
    rng = np.random.default_rng(0)
    actions = [
        {agent: int(rng.integers(env.action_space(agent).n)) for agent in agents}
        for _ in range(PREPARED_ACTIONS)
    ]

    def step(call: int) -> None:
        env.step(actions[call % PREPARED_ACTIONS])
        if not env.agents:
            env.reset()

    return measure("MPE2 simple_spread", NUM_AGENTS, 1, step, seconds)


def time_dispersion(num_envs: int, seconds: float) -> Speed:
    """VMAS dispersion with 19 agents, batched in torch on the CPU with one thread."""
    import torch
    import vmas

    torch.set_num_threads(1)
    env = vmas.make_env("dispersion", num_envs=num_envs, device="cpu", seed=0, n_agents=NUM_AGENTS)
    env.reset()
    actions = [
        [env.get_random_action(agent) for agent in env.agents] for _ in range(PREPARED_ACTIONS)
    ]

    def step(call: int) -> None:
        *_, done, _ = env.step(actions[call % PREPARED_ACTIONS])
        if bool(done.all()):
            env.reset()

    return measure("VMAS dispersion", NUM_AGENTS, num_envs, step, seconds)


def _compare(options: argparse.Namespace) -> None:
    check_real("--seconds", options.seconds, 0, 3600, low_open=True)
    num_envs = check_int("--num-envs", options.num_envs, 1)
    check_targets(options.json)
    seconds = options.seconds
    rows: list[tuple[str, Callable[[], Speed]]] = [
        ("CBF", lambda: time_parallel("cbf-v0", seconds)),
        ("CBF", lambda: time_vector("cbf-v0", num_envs, seconds)),
        ("RB", lambda: time_parallel("rb-v0", seconds, preset="rb-9")),
        ("RB", lambda: time_vector("rb-v0", num_envs, seconds, preset="rb-9")),
        ("slicing", lambda: time_parallel("slicing-v0", seconds)),
        ("slicing", lambda: time_vector("slicing-v0", num_envs, seconds)),
        ("mobile-env", lambda: time_mobile_env(seconds)),
        ("MPE2", lambda: time_simple_spread(seconds)),
        ("VMAS", lambda: time_dispersion(num_envs, seconds)),
    ]
    packages: tuple[str, ...] = ("wirelessenvs", "mobile-env", "mpe2", "vmas", "torch", "numpy")
    machine = machine_lines(packages)
    print("\n".join(machine))
    print("\nThe tasks differ; see the head of this file.\n")
    print("| environment | agents | at once | env steps / CPU-second | agent steps / CPU-second |")
    print("|---|---|---|---|---|")
    speeds = []
    for name, timed in rows:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                speed = timed()
        except ImportError as error:
            print(f"| {name} | not installed: {error} | | | |")
            continue
        speeds.append(speed)
        print(
            f"| {speed.name} | {speed.agents} | {speed.num_envs} | {speed.per_cpu_second:,.0f} "
            f"| {speed.per_cpu_second * speed.agents:,.0f} |",
            flush=True,
        )
    if options.json:
        write_speeds(options.json, machine, speeds)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Steps per second beside other packages.")
    parser.add_argument("--num-envs", type=int, default=64, help="batch size (default: 64)")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each row")
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    return run(_compare, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
