"""CPU time per update of BC, CQL and IQL, batches of random transitions included.

python -m benchmarks.speed.baselines
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.baselines.bc import BCConfig, BCLearner
from benchmarks.baselines.cql.method import CQLConfig, cql_learner
from benchmarks.baselines.iql import IQLConfig, IQLLearner
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.training_loop import Learner
from benchmarks.baselines.shared.transitions import TransitionBatch
from networld_agent.model.task_spec import ActionSpec
from wirelessenvs.checks import check_int
from wirelessenvs.command import run
from wirelessenvs.machine import machine_lines

__all__ = ["RandomTransitions", "main"]


class RandomTransitions:
    """Gaussian observations and rewards, uniform actions."""

    def __init__(self, codec: ActionCodec, input_size: int, batch_size: int) -> None:
        self.codec, self.input_size, self._batch_size = codec, input_size, batch_size

    def __call__(self, step: int) -> TransitionBatch:
        """The batch of a step."""
        rows, generator = self._batch_size, torch.Generator().manual_seed(step)
        inputs = torch.randn(2, rows, self.input_size, generator=generator)
        if self.codec.discrete:
            actions = torch.randint(self.codec.num_choices, (rows,), generator=generator)
        else:
            actions = torch.rand(rows, self.codec.size, generator=generator) * 2 - 1
        rewards = torch.randn(rows, generator=generator)
        return TransitionBatch(inputs[0], actions, rewards, inputs[1], torch.ones(rows))


def learners(inputs: int, batch_size: int) -> dict[str, Callable[[], Learner]]:
    """Makers of every learner, by method and kind of action."""
    kinds = {
        "discrete (11)": ActionCodec(ActionSpec("discrete", sizes=(11,))),
        "box (6)": ActionCodec(ActionSpec("box", low=(-1.0,) * 6, high=(1.0,) * 6)),
    }
    made: dict[str, Callable[[], Learner]] = {}
    for kind, codec in kinds.items():
        source = RandomTransitions(codec, inputs, batch_size)
        made |= {
            f"bc, {kind}": lambda source=source: BCLearner(source, BCConfig()),  # type: ignore[misc]
            f"iql, {kind}": lambda source=source: IQLLearner(source, IQLConfig()),  # type: ignore[misc]
            f"cql, {kind}": lambda source=source: cql_learner(source, CQLConfig()),  # type: ignore[misc]
        }
    return made


def milliseconds_per_update(learner: Learner, updates: int) -> float:
    """Median CPU time over all updates but the first tenth, which allocate."""
    times = []
    for step in range(updates):
        start = time.process_time()
        learner.update(learner.batch(step), step)
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times[updates // 10 :])


def _speed(options: argparse.Namespace) -> None:
    torch.set_num_threads(check_int("--threads", options.threads, 1, 256))
    check_int("--updates", options.updates, 10)
    print("\n".join(machine_lines(("torch", "numpy"))))
    print(f"{options.threads} threads; batch {options.batch}, {options.inputs} inputs\n")
    print("| method, action | CPU ms / update | updates / CPU-second |\n|---|---|---|")
    sizes = check_int("--inputs", options.inputs, 1), check_int("--batch", options.batch, 1)
    for name, make in learners(*sizes).items():
        spent = milliseconds_per_update(make(), options.updates)
        print(f"| {name} | {spent:.2f} | {1e3 / spent:.0f} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.baselines", description="Time per update of baselines."
    )
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--batch", type=int, default=256, help="transitions (default: 256)")
    parser.add_argument("--inputs", type=int, default=40, help="of an observation (default: 40)")
    parser.add_argument("--updates", type=int, default=100, help="timed (default: 100)")
    return run(_speed, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
