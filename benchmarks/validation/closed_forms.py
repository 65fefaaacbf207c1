"""What BC, CQL, IQL and DT learn, beside what each converges to where that is known exactly.

Three problems with closed forms: a gridworld (`gridworld`), a bandit with a real action (`bandit`),
Gaussian data (`gaussian`). No other library is needed. DD has its own (`linear_quadratic_dd`).

python -m benchmarks.validation.closed_forms --json benchmarks/results/baselines-exact.json
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import imports_of, program
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from benchmarks.baselines.bc import BCConfig
    from benchmarks.baselines.cql.method import CQLConfig
    from benchmarks.baselines.iql import IQLConfig
    from benchmarks.baselines.shared.config import BaselineConfig
    from benchmarks.markdown import header_line, row_line
    from benchmarks.records import write_figures
    from benchmarks.validation import bandit, gridworld
    from benchmarks.validation.fitting import fitted
    from benchmarks.validation.gaussian import expected_actions

__all__ = ["CHECKS", "main", "share_and_error"]

Reals = NDArray[np.float64]
#: Quantity, share of the exact one, and error, of one training each.
Found = Iterator[tuple[str, float, float]]

C = TypeVar("C", bound=BaselineConfig)

#: As published; targets follow fast, in short budgets.
_IQL: Final[dict[str, Any]] = {
    "expectile": 0.7, "beta": 3.0, "greatest_weight": 100.0, "tau": 0.05
}  # fmt: skip
_DT_UPDATES: Final = 1_500
#: States of the gridworld that an episode is ever in.
_AT: Final = gridworld.CELLS


def share_and_error(ours: Reals, exact: Reals, weights: Reals | None = None) -> tuple[float, float]:
    """Our figures as a share of the exact ones, and their relative error.

    Args:
        ours: of any shape.
        exact: of the same shape.
        weights: of the figures; None for all alike.

    Returns:
        The factor that brings the exact ones nearest to ours (1 if right), and the root mean square
        of the difference as a share of the exact ones' root mean square.

    Example:
        >>> share_and_error(np.array([1.1, 2.2]), np.array([1.0, 2.0]))
        (1.1, 0.10000000000000009)
    """
    weights = np.ones(exact.shape) if weights is None else weights
    square = float((weights * exact**2).sum())
    error = float((weights * (ours - exact) ** 2).sum())
    return float((weights * ours * exact).sum() / square), (error / square) ** 0.5


def _small(kind: type[C], steps: int, seed: int, **options: Any) -> C:
    return kind(steps=steps, seed=seed, hidden_size=64, learning_rate=1e-3, **options)


def _grid_bc(seed: int) -> Found:
    counts = gridworld.uneven_counts()
    learner = fitted(gridworld.GridTransitions(counts), _small(BCConfig, 500, seed))
    with torch.no_grad():
        ours = learner.actor(torch.eye(gridworld.SIDE**2)).softmax(-1).numpy()
    exact = counts / counts.sum(1, keepdims=True)
    yield "probabilities of the choices", *share_and_error(ours[_AT], exact[_AT])


def _grid_cql(seed: int) -> Found:
    counts = gridworld.uneven_counts()
    config = _small(CQLConfig, 2_000, seed, gamma=gridworld.GAMMA, target_every=20)
    learner = fitted(gridworld.GridTransitions(counts), config)
    with torch.no_grad():
        ours = learner.actor(torch.eye(gridworld.SIDE**2)).numpy()
    exact = gridworld.conservative_values(counts, config.weight(discrete=True))
    yield "values, alpha 1", *share_and_error(ours[_AT], exact[_AT])


def _grid_iql(seed: int) -> Found:
    counts = gridworld.uneven_counts()
    config = _small(IQLConfig, 2_000, seed, gamma=gridworld.GAMMA, **_IQL)
    learner, cells = fitted(gridworld.GridTransitions(counts), config), torch.eye(gridworld.SIDE**2)
    with torch.no_grad():
        value = learner.value(cells)[:, 0].numpy()
        ours = learner.actor(cells).softmax(-1).numpy()
    exact = gridworld.expectile_values(counts, config.expectile)
    choices = gridworld.weighted_choices(counts, exact, config.beta, config.greatest_weight)
    yield "values", *share_and_error(value[_AT], exact[_AT])
    yield "probabilities of the choices", *share_and_error(ours[_AT], choices[_AT])


def _bandit_bc(seed: int) -> Found:
    learner = fitted(bandit.BanditTransitions(), _small(BCConfig, 500, seed))
    with torch.no_grad():
        ours = learner.actor.best(torch.eye(3))[:, 0].numpy()
    yield "actions", *share_and_error(ours, bandit.weighted_means(np.zeros(3), 0.0, 1.0))


def _bandit_iql(seed: int) -> Found:
    config = _small(IQLConfig, 1_500, seed, **_IQL)
    learner = fitted(bandit.BanditTransitions(), config)
    with torch.no_grad():
        value = learner.value(torch.eye(3))[:, 0].numpy()
        ours = learner.actor.best(torch.eye(3))[:, 0].numpy()
    exact = bandit.expectile_values(config.expectile)
    means = bandit.weighted_means(exact, config.beta, config.greatest_weight)
    yield "values", *share_and_error(value, exact)
    yield "actions", *share_and_error(ours, means)


def _bandit_cql(seed: int) -> Found:
    """A narrow policy makes the sampled logsumexp inexact: the last row keeps it wide."""
    source, weights = bandit.BanditTransitions(60), bandit.data_density() * bandit.WEIGHTS
    for alpha, rate, note in ((1.0, 1e-3, ""), (5.0, 1e-3, ""), (5.0, 0.0, ", policy untrained")):
        torch.manual_seed(seed)
        # Updates of soft actor-critic; the others of this file are far quicker.
        config = _small(CQLConfig, 1_200, seed, alpha=alpha, actor_learning_rate=rate)
        learner = fitted(source, config)
        states, grid = torch.eye(3), torch.from_numpy(bandit.GRID).float()
        with torch.no_grad():
            ours = learner.critics(states, grid[None, :, None].expand(3, -1, -1))[..., 0].mean(0)
            action = learner.actor.best(states)[:, 0].numpy()
        exact = bandit.conservative_values(alpha)
        yield f"values, alpha {alpha:g}{note}", *share_and_error(ours.numpy(), exact, weights)
        if rate:
            got = [np.interp(a, bandit.GRID, q) for a, q in zip(action, exact, strict=True)]
            # By what it costs, in the same unit as the error of the values.
            unit = float((weights * exact**2).sum() / weights.sum()) ** 0.5
            lost = float(np.mean(exact.max(1) - got)) / unit
            yield f"conservative value of its action, alpha {alpha:g}", 1 - lost, lost


def _gaussian_dt(seed: int) -> Found:
    actions, exact, unasked = expected_actions(_DT_UPDATES, seed)
    effect, _ = share_and_error(actions - unasked, exact - unasked)
    yield "effect of the return on the action", effect, abs(effect - 1)
    yield "actions", *share_and_error(actions, exact)


#: By method and kind of action.
CHECKS: Final[dict[tuple[str, str], Callable[[int], Found]]] = {
    ("bc", "discrete"): _grid_bc,
    ("bc", "reals"): _bandit_bc,
    ("cql", "discrete"): _grid_cql,
    ("cql", "reals"): _bandit_cql,
    ("iql", "discrete"): _grid_iql,
    ("iql", "reals"): _bandit_iql,
    ("dt", "reals"): _gaussian_dt,
}


_COLUMNS: Final = (
    "baseline", "actions", "quantity", "seed", "ours, exact 1", "error", "CPU s"
)  # fmt: skip


def _check(options: argparse.Namespace) -> None:
    check_int("--seeds", options.seeds, 1)
    torch.set_num_threads(1)
    machine = machine_lines(("torch", "numpy"))
    print("\n".join(machine))
    print(f"\n{header_line(_COLUMNS)}")
    rows = []
    for (method, actions), check in CHECKS.items():
        for seed in range(options.seeds if method in options.methods else 0):
            torch.manual_seed(seed)
            start = time.process_time()
            for quantity, share, error in check(seed):
                seconds = time.process_time() - start
                names = {"method": method, "actions": actions, "quantity": quantity, "seed": seed}
                rows.append({**names, "share": share, "error": error, "cpu_seconds": seconds})
                figures = [f"{share:.3f}", f"{100 * error:.1f} %", f"{seconds:.0f}"]
                print(row_line([*names.values(), *figures]), flush=True)
                start = time.process_time()
    if options.json is not None:
        write_figures(options.json, [options.command], machine, {"rows": rows})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    methods = tuple(dict.fromkeys(method for method, _ in CHECKS))
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.validation.closed_forms"),
        description="What BC, CQL, IQL and DT learn, beside closed forms.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings each (default: 3)")
    parser.add_argument(
        "--methods", nargs="+", choices=methods, default=methods, help="default: all"
    )
    parser.add_argument("--json", type=Path, help="write all figures")
    return run_command(_check, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
