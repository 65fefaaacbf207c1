"""Our BC, CQL and IQL beside d3rlpy's: same data of two control tasks, same budget, same seeds.

python -m benchmarks.baselines.validation --json benchmarks/results/baselines-validation.json

needs `pip install d3rlpy`, best in an environment of its own: it pins an older Gymnasium.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.bc import BCConfig, BCLearner
from benchmarks.baselines.config import BaselineConfig
from benchmarks.baselines.control_data import (
    CONTROL_TASKS,
    ControlData,
    ControlTransitions,
    collect_control,
    score,
)
from benchmarks.baselines.cql import CQLConfig, cql_learner
from benchmarks.baselines.iql import IQLConfig, IQLLearner
from benchmarks.baselines.peer_d3rlpy import train_peer
from benchmarks.baselines.training_loop import Learner
from wirelessenvs.checks import check_int
from wirelessenvs.command import check_targets, run, whole_file
from wirelessenvs.machine import machine_lines

__all__ = ["main", "train_ours"]

Act = Callable[[NDArray[np.float32]], NDArray[Any]]

_CONFIGS: dict[str, type[BaselineConfig]] = {"bc": BCConfig, "cql": CQLConfig, "iql": IQLConfig}
#: Soft actor-critic judges 31 actions per transition: fewer updates of it take as long.
_COSTLY = 2
#: Student's t, 95 %, two-sided, for 2 to 5 results.
_STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def _learner(source: ControlTransitions, config: BaselineConfig) -> Learner:
    if isinstance(config, BCConfig):
        return BCLearner(source, config)
    if isinstance(config, IQLConfig):
        return IQLLearner(source, config)
    assert isinstance(config, CQLConfig)
    return cql_learner(source, config)


def train_ours(data: ControlData, config: BaselineConfig) -> Act:
    """Trains our method; returns its greedy policy, as `train_peer`."""
    torch.manual_seed(config.seed)
    source = ControlTransitions(data, config.batch_size, config.seed)
    learner = _learner(source, config)
    for step in range(config.steps):
        learner.update(learner.batch(step), step)
    actor: Any = learner.actor

    @torch.no_grad()
    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(actor.best(torch.from_numpy(observations)).numpy())

    return act


def _config(task: str, method: str, options: argparse.Namespace, seed: int) -> BaselineConfig:
    costly = method == "cql" and CONTROL_TASKS[task].action.kind == "box"
    steps = options.updates // _COSTLY if costly else options.updates
    return _CONFIGS[method](steps=max(steps, 1), batch_size=options.batch, seed=seed)


def compared(ours: Sequence[float], theirs: Sequence[float] | None) -> dict[str, Any]:
    """Means, 95 % intervals (Student's t over seeds), and whether ours is as good.

    As good: not below theirs by more than 5 % of it, or inside its interval.
    """
    result: dict[str, Any] = {"ours": list(ours), "ours_mean": float(np.mean(ours))}
    if theirs is None:
        return result
    mean, half = float(np.mean(theirs)), 0.0
    if len(theirs) in _STUDENT:
        half = _STUDENT[len(theirs)] * float(np.std(theirs, ddof=1)) / len(theirs) ** 0.5
    gap = result["ours_mean"] - mean
    result |= {
        "d3rlpy": list(theirs),
        "d3rlpy_mean": mean,
        "d3rlpy_interval": [mean - half, mean + half],
        "as_good": bool(gap >= -0.05 * abs(mean) or abs(gap) <= half),
    }
    return result


def _validate(options: argparse.Namespace) -> None:
    for name in ("updates", "seeds", "episodes", "batch"):
        check_int(f"--{name}", getattr(options, name), 1)
    check_targets(options.json)
    torch.set_num_threads(1)
    packages = ("torch", "numpy", "gymnasium", *(() if options.ours else ("d3rlpy",)))
    machine = machine_lines(packages)
    print("\n".join(machine))
    print(
        f"{options.updates} updates of {options.batch} transitions ({options.updates // _COSTLY} "
        f"for cql on pendulum), {options.seeds} seeds, {options.episodes} episodes\n\n"
        "| task | method | data | ours | d3rlpy | its 95 % interval | as good | s ours | s d3rlpy |"
        "\n|---|---|---|---|---|---|---|---|---|"
    )
    results = []
    for task in options.tasks:
        kind, data = CONTROL_TASKS[task], collect_control(task)
        for method in options.methods:
            # d3rlpy has no IQL for discrete actions.
            alone = options.ours or (method == "iql" and kind.action.kind == "discrete")
            scores: dict[str, list[float]] = {"ours": [], "d3rlpy": []}
            seconds = {"ours": 0.0, "d3rlpy": 0.0}
            for seed in range(options.seeds):
                config = _config(task, method, options, seed)
                for who, train in (("ours", train_ours), ("d3rlpy", train_peer)):
                    if who == "d3rlpy" and alone:
                        continue
                    start = time.process_time()
                    act = train(data, config)
                    seconds[who] += time.process_time() - start
                    scores[who].append(score(data, act, options.episodes, 10_000))
            result = compared(scores["ours"], None if alone else scores["d3rlpy"])
            result |= {"task": task, "method": method, "data_mean": float(data.returns.mean())}
            result |= {"cpu_seconds": seconds, "updates": config.steps}
            results.append(result)
            print(_row(result), flush=True)
    if options.json is not None:
        document = {
            "command": " ".join(["python -m benchmarks.baselines.validation", *options.arguments]),
            "machine": machine,
            "results": results,
        }
        with whole_file(options.json) as partial:
            partial.write_text(json.dumps(document, indent=1) + "\n")
        print(f"\nwrote {options.json}")
    worse = [f"{r['method']} on {r['task']}" for r in results if not r.get("as_good", True)]
    if worse:
        raise ValueError(f"below d3rlpy: {', '.join(worse)}.")


def _row(result: dict[str, Any]) -> str:
    cells = [result["task"], result["method"], f"{result['data_mean']:.1f}"]
    cells.append(f"{result['ours_mean']:.1f}")
    if "d3rlpy" in result:
        low, high = result["d3rlpy_interval"]
        cells += [f"{result['d3rlpy_mean']:.1f}", f"[{low:.1f}, {high:.1f}]"]
        cells.append("yes" if result["as_good"] else "no")
    else:
        cells += ["-"] * 3
    cells += [f"{result['cpu_seconds'][who]:.0f}" for who in ("ours", "d3rlpy")]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines.validation",
        description="Our offline methods beside d3rlpy's.",
    )
    parser.add_argument("--updates", type=int, default=1500, help="per training (default: 1500)")
    parser.add_argument("--batch", type=int, default=64, help="transitions (default: 64)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings each (default: 3)")
    parser.add_argument("--episodes", type=int, default=20, help="to score (default: 20)")
    parser.add_argument(
        "--tasks", nargs="+", choices=tuple(CONTROL_TASKS), default=tuple(CONTROL_TASKS),
        help="of control; default: all",
    )  # fmt: skip
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=tuple(_CONFIGS),
        default=tuple(_CONFIGS),
        help="default: all",
    )
    parser.add_argument("--ours", action="store_true", help="only ours, without d3rlpy")
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_validate, options)


if __name__ == "__main__":
    sys.exit(main())
