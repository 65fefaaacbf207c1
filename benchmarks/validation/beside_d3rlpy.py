"""Our baselines beside d3rlpy's, or beside what is known exactly.

BC, CQL, IQL and DT learn from the same data of two control tasks as d3rlpy's, with the same budget
and seeds. DD, which it has not, learns a linear-quadratic problem (see `linear_quadratic_dd`).

python -m benchmarks.validation.beside_d3rlpy --json benchmarks/results/baselines-validation.json

needs `pip install d3rlpy`, best in an environment of its own: it pins an older Gymnasium.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import imports_of, program
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from benchmarks.baselines.bc import BCConfig
    from benchmarks.baselines.cql.method import CQLConfig
    from benchmarks.baselines.dt.method import DTConfig
    from benchmarks.baselines.iql import IQLConfig
    from benchmarks.baselines.shared.config import BaselineConfig
    from benchmarks.markdown import header_line, row_line
    from benchmarks.records import write_figures
    from benchmarks.validation.control_data import (
        CONTROL_TASKS,
        ControlData,
        ControlTransitions,
        collect_control,
        score,
    )
    from benchmarks.validation.control_sequences import (
        ControlDTLearner,
        DTPlayer,
        best_return,
        returns_to_go,
    )
    from benchmarks.validation.d3rlpy_dt import train_peer_dt
    from benchmarks.validation.d3rlpy_values import train_peer
    from benchmarks.validation.fitting import fitted, updated
    from benchmarks.validation.linear_quadratic_dd import expectations, mixed_quality

__all__ = ["main", "train_ours"]

Act = Callable[[NDArray[np.float32]], NDArray[Any]]

_CONFIGS: dict[str, type[BaselineConfig]] = {
    "bc": BCConfig,
    "cql": CQLConfig,
    "iql": IQLConfig,
    "dt": DTConfig,
}
#: Soft actor-critic judges 31 actions per transition: fewer updates of it take as long.
_COSTLY = 2
#: An update of a decision transformer sees a window for each transition of the others.
_FEWER_WINDOWS = 3
#: Small, for tasks whose observations are states, with the learning rate of short budgets.
_DT_SIZES: dict[str, Any] = {"hidden_size": 64, "layers": 2, "context": 5, "learning_rate": 1e-3}
_COLUMNS: Final = (
    "task", "method", "data", "ours", "d3rlpy", "its 95 % interval", "as good", "s ours",
    "s d3rlpy",
)  # fmt: skip
#: Student's t, 95 %, two-sided, for 2 to 5 results.
_STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def _asked(data: ControlData) -> tuple[float, float]:
    """Return to ask for, the best in the data, and the unit of returns, their deviation."""
    return best_return(data), float(returns_to_go(data.rewards, data.ends).std())


def train_ours(data: ControlData, config: BaselineConfig) -> Act:
    """Trains our method; returns its greedy policy, as `train_peer`."""
    torch.manual_seed(config.seed)
    if isinstance(config, DTConfig):
        target, unit = _asked(data)
        sequences = ControlDTLearner(data, config, unit)
        return DTPlayer(updated(sequences, config.steps).network, target, unit)
    actor = fitted(ControlTransitions(data, config.batch_size, config.seed), config).actor

    @torch.no_grad()
    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(actor.best(torch.from_numpy(observations)).numpy())

    return act


def _train_theirs(data: ControlData, config: BaselineConfig) -> Act:
    if isinstance(config, DTConfig):
        return train_peer_dt(data, config, *_asked(data))
    return train_peer(data, config)


def _config(task: str, method: str, options: argparse.Namespace, seed: int) -> BaselineConfig:
    if method == "dt":
        steps = max(options.updates // _FEWER_WINDOWS, 1)
        return DTConfig(steps=steps, batch_size=options.batch, seed=seed, **_DT_SIZES)
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
    check_int("--dd-updates", options.dd_updates, 1)
    torch.set_num_threads(1)
    needs_peer = not options.ours and any(name in _CONFIGS for name in options.methods)
    if needs_peer:
        check_installed("d3rlpy")
    packages = ("torch", "numpy", "gymnasium", *(("d3rlpy",) if needs_peer else ()))
    machine = machine_lines(packages)
    print("\n".join(machine))
    results = _beside_d3rlpy(options)
    exact = _beside_the_exact(options) if "dd" in options.methods else {}
    if options.json is not None:
        write_figures(options.json, [options.command], machine, {"results": results, **exact})
    worse = [f"{r['method']} on {r['task']}" for r in results if not r.get("as_good", True)]
    if worse:
        raise ValueError(f"below d3rlpy: {', '.join(worse)}.")
    if exact and not all(row["lift"][0] > 0 for row in exact["dd_mixed_quality"]):
        raise ValueError("dd is not above bc on data of mixed quality.")


def _beside_the_exact(options: argparse.Namespace) -> dict[str, Any]:
    columns = (
        "seed", "effect of the return (exact: 1)", "error of the next velocity", "of the action"
    )  # fmt: skip
    print(f"\ndd, {options.dd_updates} updates, Gaussian data\n\n{header_line(columns)}")
    found: dict[str, Any] = {"dd_expectations": [], "dd_mixed_quality": []}
    for seed in range(options.seeds):
        row = expectations(options.dd_updates, seed)
        found["dd_expectations"].append(row)
        errors = [f"{100 * row[name]:.1f} %" for name in ("next_velocity", "inverse")]
        print(row_line([seed, f"{row['return_effect']:.3f}", *errors]), flush=True)
    means = ("data", "bc", "dd", "optimum")
    print("\ndd beside bc on data of mixed quality, mean reward per step\n")
    print(header_line(("seed", *means, "way from bc to the optimum", "lift [95 %]")))
    for seed in range(options.seeds):
        row = mixed_quality(options.dd_updates, seed)
        found["dd_mixed_quality"].append(row)
        low, high = row["lift"]
        cells = [*(f"{row[name]:.3f}" for name in means), f"{100 * row['closed']:.0f} %"]
        lift = f"{row['dd'] - row['bc']:.3f} [{low:.3f}, {high:.3f}]"
        print(row_line([seed, *cells, lift]), flush=True)
    return found


def _beside_d3rlpy(options: argparse.Namespace) -> list[dict[str, Any]]:
    methods = [name for name in options.methods if name in _CONFIGS]
    if not methods:
        return []
    print(
        f"{options.updates} updates of {options.batch} transitions ({options.updates // _COSTLY} "
        f"for cql on pendulum, {options.updates // _FEWER_WINDOWS} of windows for dt), "
        f"{options.seeds} seeds, {options.episodes} episodes\n\n{header_line(_COLUMNS)}"
    )
    results = []
    for task in options.tasks:
        kind, data = CONTROL_TASKS[task], collect_control(task)
        for method in methods:
            # d3rlpy has no IQL for discrete actions.
            alone = options.ours or (method == "iql" and kind.action.kind == "discrete")
            scores: dict[str, list[float]] = {"ours": [], "d3rlpy": []}
            seconds = {"ours": 0.0, "d3rlpy": 0.0}
            for seed in range(options.seeds):
                config = _config(task, method, options, seed)
                for who, train in (("ours", train_ours), ("d3rlpy", _train_theirs)):
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
    return results


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
    return row_line(cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.validation.beside_d3rlpy"),
        description="Our offline methods beside d3rlpy's.",
    )
    parser.add_argument("--updates", type=int, default=1500, help="per training (default: 1500)")
    parser.add_argument("--dd-updates", type=int, default=800, help="of dd (default: 800)")
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
        choices=(*_CONFIGS, "dd"),
        default=(*_CONFIGS, "dd"),
        help="default: all",
    )
    parser.add_argument("--ours", action="store_true", help="only ours, without d3rlpy")
    parser.add_argument("--json", type=Path, help="write all figures")
    return run_command(_validate, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
