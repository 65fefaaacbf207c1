"""What collecting costs beside the bare simulator fed with the same actions, in one run.

python benchmarks/speed/collecting.py --env slicing-v0 --episodes 5 --steps 100
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from networld_agent import collect
from networld_agent.data import TrajectoryDataset
from wirelessenvs import make_simulator
from wirelessenvs.checks import check_int
from wirelessenvs.command import run
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import get_task


def _collected(options: argparse.Namespace, folder: Path) -> float:
    """CPU seconds of one collection in this process."""
    command = f"--env {options.env} --policy {options.policy} --jobs 1 --seed 0"
    size = f"--episodes {options.episodes} --steps {options.steps} --num-envs {options.episodes}"
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        status = collect.main([*command.split(), *size.split(), "--out", str(folder)])
    if status:
        raise ValueError(f"collecting ended with status {status}.")
    return time.process_time() - start


def _replayed(options: argparse.Namespace, folder: Path) -> float:
    """CPU seconds of the simulator alone on the recorded actions."""
    actions = np.asarray(TrajectoryDataset.open(folder).actions)
    simulator = make_simulator(options.env, options.episodes, max_steps=options.steps)
    start = time.process_time()
    simulator.reset(0)
    for step in range(options.steps):
        simulator.step(actions[:, :, step])
    return time.process_time() - start


def _compare(options: argparse.Namespace) -> None:
    options.env = get_task(options.env).id
    for name in ("episodes", "steps", "repeats"):
        check_int(f"--{name}", getattr(options, name), 1)
    print("\n".join(machine_lines()))
    print("\n| round | collecting, CPU s | simulator alone, CPU s | share |")
    print("|---|---|---|---|")
    shares = []
    for number in range(options.repeats + 1):
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "data"
            collected, bare = _collected(options, folder), _replayed(options, folder)
        if number:  # the first round compiles
            shares.append(bare / collected)
            print(f"| {number} | {collected:.2f} | {bare:.2f} | {bare / collected:.3f} |")
    print(f"\nmedian share {statistics.median(shares):.3f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Cost of collecting beside the simulator alone.")
    parser.add_argument("--env", default="slicing-v0", help="task id (default: slicing-v0)")
    parser.add_argument("--policy", default="expert", help="tier or policy (default: expert)")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    return run(_compare, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
