"""Speed of the environments: `python -m wirelessenvs.bench`.

Actions are made before the clock starts; resets at episode ends are inside. The figure to compare
is steps per CPU-second: wall clock depends on who else uses the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import add_config_options, check_targets, parse_overrides, run, whole_file
from wirelessenvs.machine import machine_lines
from wirelessenvs.registration import make, make_vec
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["Speed", "main", "measure", "time_parallel", "time_vector", "write_speeds"]

#: Joint actions prepared ahead; the timed loop cycles through them.
PREPARED_ACTIONS = 32


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


def _bench(options: argparse.Namespace) -> None:
    check_real("--seconds", options.seconds, 0, 3600, low_open=True)
    check_int("--num-envs", options.num_envs, 1)
    check_targets(options.json)
    overrides = parse_overrides(options.overrides)
    if options.preset is not None:
        overrides["preset"] = options.preset
    if overrides and len(options.tasks) != 1:
        raise ValueError("--preset and --set need exactly one task.")
    tasks = [get_task(name).id for name in options.tasks] or list(TASKS)
    machine = machine_lines()
    print("\n".join(machine))
    print("\n| environment | agents | at once | steps / CPU-second | steps / second |")
    print("|---|---|---|---|---|")
    speeds = []
    for task_id in tasks:
        for speed in (
            time_parallel(task_id, options.seconds, **overrides),
            time_vector(task_id, options.num_envs, options.seconds, **overrides),
        ):
            speeds.append(speed)
            print(
                f"| {speed.name} | {speed.agents} | {speed.num_envs} "
                f"| {speed.per_cpu_second:,.0f} | {speed.per_wall_second:,.0f} |",
                flush=True,
            )
    if options.json:
        write_speeds(options.json, machine, speeds)


def write_speeds(path: Path, machine: list[str], speeds: list[Speed]) -> None:
    """Writes measured speeds with their machine as JSON."""
    document: dict[str, Any] = {"machine": machine, "speeds": [asdict(speed) for speed in speeds]}
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwrote {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelessenvs.bench", description="Measure steps per second."
    )
    parser.add_argument("tasks", nargs="*", help=f"any of {', '.join(TASKS)} (default: all)")
    parser.add_argument("--num-envs", type=int, default=64, help="batch size (default: 64)")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each row (default: 6)")
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    add_config_options(parser)
    return run(_bench, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
