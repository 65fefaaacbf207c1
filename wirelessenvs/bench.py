"""Speed of the environments: `python -m wirelessenvs.bench`.

Actions are made before the clock starts; resets at episode ends are inside. The figure to compare
is steps per CPU-second: wall clock depends on who else uses the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import (
    add_config_options,
    check_targets,
    parse_overrides,
    program,
    run,
    whole_file,
)
from wirelessenvs.machine import machine_lines
from wirelessenvs.registration import make, make_vec
from wirelessenvs.tasks import TASKS, get_task, make_policy, make_simulator

__all__ = [
    "Memory",
    "Speed",
    "main",
    "measure",
    "measure_memory",
    "time_parallel",
    "time_policy",
    "time_vector",
    "write_speeds",
]

#: Joint actions prepared ahead; the timed loop cycles through them.
PREPARED_ACTIONS = 32
#: What is measured unless the command says otherwise: of two sizes the larger.
DEFAULT_ARGUMENTS: dict[str, dict[str, Any]] = {"rb-v0": {"preset": "rb-9"}}


@dataclass(frozen=True)
class Speed:
    """Environment steps per second of one way to run a task (medians over repetitions).

    Args:
        name: what ran.
        agents: number of agents of each environment.
        num_envs: environments advanced by one call.
        per_wall_second: environment steps per second of wall clock.
        per_cpu_second: environment steps per second of processor time, all threads.
        steps: environment steps timed in all.
    """

    name: str
    agents: int
    num_envs: int
    per_wall_second: float
    per_cpu_second: float
    steps: int


def measure(
    name: str,
    agents: int,
    num_envs: int,
    step: Callable[[int], object],
    seconds: float,
    repeats: int = 3,
) -> Speed:
    """Times `step(k)`, k = 0, 1, ..., for about `seconds` in each of `repeats` rounds."""
    step(0)  # compiled and warm
    wall: list[float] = []
    cpu: list[float] = []
    calls = 0
    for _ in range(repeats):
        count = 0
        start, start_cpu = time.perf_counter(), time.process_time()
        while True:
            step(calls)
            calls += 1
            count += 1
            elapsed = time.perf_counter() - start
            if elapsed >= seconds / repeats:
                break
        busy = time.process_time() - start_cpu
        wall.append(count * num_envs / elapsed)
        cpu.append(count * num_envs / max(busy, 1e-9))
    return Speed(
        name,
        agents,
        num_envs,
        statistics.median(wall),
        statistics.median(cpu),
        calls * num_envs,
    )


def time_parallel(task_id: str, seconds: float, **arguments: Any) -> Speed:
    """Speed of the PettingZoo environment, one at a time."""
    env = make(task_id, **arguments)
    env.reset(seed=0)
    agents = env.possible_agents
    for index, agent in enumerate(agents):
        env.action_space(agent).seed(index)
    actions = [
        {agent: env.action_space(agent).sample() for agent in agents}
        for _ in range(PREPARED_ACTIONS)
    ]

    def step(call: int) -> None:
        env.step(actions[call % PREPARED_ACTIONS])
        if not env.agents:
            env.reset()

    return measure(f"{task_id} parallel", len(agents), 1, step, seconds)


def time_vector(task_id: str, num_envs: int, seconds: float, **arguments: Any) -> Speed:
    """Speed of the native batch, with autoreset."""
    env = make_vec(task_id, num_envs, **arguments)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(PREPARED_ACTIONS)]
    return measure(
        f"{task_id} vector",
        env.simulator.num_agents,
        num_envs,
        lambda call: env.step(actions[call % PREPARED_ACTIONS]),
        seconds,
    )


def time_policy(task_id: str, name: str, num_envs: int, seconds: float, **arguments: Any) -> Speed:
    """Decisions per second of one policy, the simulator's own time not counted.

    Raises:
        ValueError: if the policy cannot play this configuration.
    """
    simulator = make_simulator(task_id, num_envs, **arguments)
    policy = make_policy(name, simulator)
    observations = simulator.reset(0)
    privileged = simulator.privileged(policy.information)
    return measure(
        f"{task_id} policy {name}",
        simulator.num_agents,
        num_envs,
        lambda _: policy(observations, privileged),
        seconds,
    )


@dataclass(frozen=True)
class Memory:
    """Resident memory of a batch.

    Args:
        name: what ran.
        num_envs: environments in the batch.
        batch_mib: growth of the process when the batch is built and has made ten steps.
        growth_mib: further growth over `steps` batch steps.
        steps: batch steps after the first ten.
    """

    name: str
    num_envs: int
    batch_mib: float
    growth_mib: float
    steps: int


def measure_memory(task_id: str, num_envs: int, steps: int, **arguments: Any) -> Memory:
    """Memory of a batch of `num_envs`, and its growth over `steps` further steps (Linux)."""
    make_vec(task_id, 1, **arguments).reset(seed=0)  # libraries and kernels loaded
    before = _resident_mib()
    env = make_vec(task_id, num_envs, **arguments)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = env.action_space.sample()
    for _ in range(10):
        env.step(actions)
    built = _resident_mib()
    for _ in range(steps):
        env.step(actions)
    return Memory(task_id, num_envs, built - before, _resident_mib() - built, steps)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _bench(options: argparse.Namespace) -> None:
    check_real("--seconds", options.seconds, 0, 3600, low_open=True)
    check_int("--num-envs", options.num_envs, 1)
    check_int("--steps", options.steps, 1)
    check_targets(options.json)
    overrides = parse_overrides(options.overrides)
    if options.preset is not None:
        overrides["preset"] = options.preset
    if overrides and len(options.tasks) != 1:
        raise ValueError("--preset and --set need exactly one task.")
    tasks = [get_task(name).id for name in options.tasks] or list(TASKS)
    machine = machine_lines()
    print("\n".join(machine))
    speeds: list[Speed] = []
    memories: list[Memory] = []
    if options.memory:
        print("\n| batch | at once | MiB | MiB more after further steps |")
        print("|---|---|---|---|")
        for task_id in tasks:
            arguments = overrides or DEFAULT_ARGUMENTS.get(task_id, {})
            memory = measure_memory(task_id, options.num_envs, options.steps, **arguments)
            memories.append(memory)
            print(
                f"| {memory.name} | {memory.num_envs} | {memory.batch_mib:,.0f} "
                f"| {memory.growth_mib:.1f} after {memory.steps:,} |",
                flush=True,
            )
    else:
        print("\n| environment | agents | at once | steps / CPU-second | steps / second |")
        print("|---|---|---|---|---|")
        for speed in _speeds(tasks, options, overrides):
            speeds.append(speed)
            print(
                f"| {speed.name} | {speed.agents} | {speed.num_envs} "
                f"| {speed.per_cpu_second:,.0f} | {speed.per_wall_second:,.0f} |",
                flush=True,
            )
    if options.json:
        write_speeds(options.json, machine, speeds, memories)


def _speeds(
    tasks: Sequence[str], options: argparse.Namespace, overrides: dict[str, Any]
) -> Iterator[Speed]:
    for task_id in tasks:
        arguments = overrides or DEFAULT_ARGUMENTS.get(task_id, {})
        if not options.policies:
            yield time_parallel(task_id, options.seconds, **arguments)
            yield time_vector(task_id, options.num_envs, options.seconds, **arguments)
            continue
        make_simulator(task_id, 1, **arguments)  # bad options are no line of the table
        for name in get_task(task_id).policies:
            try:
                yield time_policy(task_id, name, options.num_envs, options.seconds, **arguments)
            except ValueError as error:
                print(f"| {task_id} policy {name} | cannot play this: {error} | | | |")


def write_speeds(
    path: Path, machine: list[str], speeds: Sequence[Speed], memories: Sequence[Memory] = ()
) -> None:
    """Writes measurements with their machine as JSON."""
    document: dict[str, Any] = {"machine": machine, "speeds": [asdict(speed) for speed in speeds]}
    if memories:
        document["memory"] = [asdict(memory) for memory in memories]
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwrote {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("wirelessenvs.bench"), description="Measure steps per second."
    )
    parser.add_argument("tasks", nargs="*", help=f"any of {', '.join(TASKS)} (default: all)")
    parser.add_argument("--num-envs", type=int, default=64, help="batch size (default: 64)")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each row (default: 6)")
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    parser.add_argument(
        "--policies", action="store_true", help="time the policies instead of the environments"
    )
    parser.add_argument(
        "--memory", action="store_true", help="measure memory instead of time (Linux)"
    )
    parser.add_argument(
        "--steps", type=int, default=1000, help="batch steps over which --memory looks for growth"
    )
    add_config_options(parser)
    return run(_bench, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
