"""What BC, CQL, IQL and DT learn, beside what each converges to where that is known exactly.

Three problems with closed forms: a gridworld (`gridworld`), a bandit with a real action (`bandit`),
Gaussian data (`transformer_validation`). No other library is needed. DD has its own
(`diffuser_validation`).

python -m benchmarks.validation.closed_forms --json benchmarks/results/baselines-exact.json
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.bc import BCConfig, BCLearner
from benchmarks.baselines.cql.method import CQLConfig, cql_learner
from benchmarks.baselines.iql import IQLConfig, IQLLearner
from benchmarks.baselines.shared.training_loop import Learner
from benchmarks.records import write_figures
from benchmarks.validation import bandit, gridworld
from benchmarks.validation.gaussian import expected_actions
from wirelessenvs.checks import check_int
from wirelessenvs.command import check_targets, run
from wirelessenvs.machine import machine_lines

__all__ = ["CHECKS", "main", "share_and_error"]

Reals = NDArray[np.float64]
#: Quantity, share of the exact one, and error, of one training each.
Found = Iterator[tuple[str, float, float]]

#: As published and by default, where nothing else is said.
_EXPECTILE, _BETA, _GREATEST = 0.7, 3.0, 100.0
#: Rates, targets and widths for problems of a few states.
_SMALL: Final[dict[str, Any]] = {"hidden_size": 64, "learning_rate": 1e-3}
#: Updates of soft actor-critic; the others of this file are far quicker.
_BOX_CQL_UPDATES: Final = 1_200
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


def _trained(learner: Learner, updates: int) -> Any:
    for step in range(updates):
        learner.update(learner.batch(step), step)
    return learner


def _grid_bc(seed: int) -> Found:
    counts = gridworld.uneven_counts()
    learner = _trained(
        BCLearner(gridworld.GridTransitions(counts), BCConfig(seed=seed, **_SMALL)), 500
    )
    with torch.no_grad():
        ours = learner.actor(torch.eye(gridworld.SIDE**2)).softmax(-1).numpy()
    exact = counts / counts.sum(1, keepdims=True)
    yield (
        "probabilities of the choices",
        *share_and_error(ours[_AT], exact[_AT]),
    )


def _grid_cql(seed: int) -> Found:
    counts = gridworld.uneven_counts()
    config = CQLConfig(seed=seed, gamma=gridworld.GAMMA, target_every=20, **_SMALL)
    learner = _trained(cql_learner(gridworld.GridTransitions(counts), config), 2_000)
    with torch.no_grad():
        ours = learner.actor(torch.eye(gridworld.SIDE**2)).numpy()
    exact = gridworld.conservative_values(counts, config.weight(discrete=True))
    yield "values, alpha 1", *share_and_error(ours[_AT], exact[_AT])


def _grid_iql(seed: int) -> Found:
    counts, updates = gridworld.uneven_counts(), 2_000
    config = IQLConfig(
        steps=updates, seed=seed, gamma=gridworld.GAMMA, expectile=_EXPECTILE, beta=_BETA,
        greatest_weight=_GREATEST, tau=0.05, **_SMALL,
    )  # fmt: skip
    learner = _trained(IQLLearner(gridworld.GridTransitions(counts), config), updates)
    cells = torch.eye(gridworld.SIDE**2)
    with torch.no_grad():
        value = learner.value(cells)[:, 0].numpy()
        ours = learner.actor(cells).softmax(-1).numpy()
    exact = gridworld.expectile_values(counts, _EXPECTILE)
    choices = gridworld.weighted_choices(counts, exact, _BETA, _GREATEST)
    yield "values", *share_and_error(value[_AT], exact[_AT])
    yield (
        "probabilities of the choices",
        *share_and_error(ours[_AT], choices[_AT]),
    )


def _bandit_bc(seed: int) -> Found:
    learner = _trained(BCLearner(bandit.BanditTransitions(), BCConfig(seed=seed, **_SMALL)), 500)
    with torch.no_grad():
        ours = learner.actor.best(torch.eye(3))[:, 0].numpy()
    yield "actions", *share_and_error(ours, bandit.weighted_means(np.zeros(3), 0.0, 1.0))


def _bandit_iql(seed: int) -> Found:
    updates = 1_500
    config = IQLConfig(
        steps=updates, seed=seed, expectile=_EXPECTILE, beta=_BETA, greatest_weight=_GREATEST,
        tau=0.05, **_SMALL,
    )  # fmt: skip
    learner = _trained(IQLLearner(bandit.BanditTransitions(), config), updates)
    with torch.no_grad():
        value = learner.value(torch.eye(3))[:, 0].numpy()
        ours = learner.actor.best(torch.eye(3))[:, 0].numpy()
    exact = bandit.expectile_values(_EXPECTILE)
    yield "values", *share_and_error(value, exact)
    yield "actions", *share_and_error(ours, bandit.weighted_means(exact, _BETA, _GREATEST))


def _bandit_cql(seed: int) -> Found:
    """A narrow policy makes the sampled logsumexp inexact: the last row keeps it wide."""
    source, weights = bandit.BanditTransitions(60), bandit.data_density() * bandit.WEIGHTS
    for alpha, rate, note in ((1.0, 1e-3, ""), (5.0, 1e-3, ""), (5.0, 0.0, ", policy untrained")):
        torch.manual_seed(seed)
        config = CQLConfig(seed=seed, alpha=alpha, actor_learning_rate=rate, **_SMALL)
        learner = _trained(cql_learner(source, config), _BOX_CQL_UPDATES)
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


def _check(options: argparse.Namespace) -> None:
    check_int("--seeds", options.seeds, 1)
    check_targets(options.json)
    torch.set_num_threads(1)
    machine = machine_lines(("torch", "numpy"))
    print("\n".join(machine))
    print("\n| baseline | actions | quantity | seed | ours, exact 1 | error | CPU s |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for (method, actions), check in CHECKS.items():
        for seed in range(options.seeds if method in options.methods else 0):
            torch.manual_seed(seed)
            start = time.process_time()
            for quantity, share, error in check(seed):
                seconds = time.process_time() - start
                names = {"method": method, "actions": actions, "quantity": quantity, "seed": seed}
                rows.append({**names, "share": share, "error": error, "cpu_seconds": seconds})
                print(
                    f"| {method} | {actions} | {quantity} | {seed} | {share:.3f} "
                    f"| {100 * error:.1f} % | {seconds:.0f} |",
                    flush=True,
                )
                start = time.process_time()
    if options.json is not None:
        command = ["python -m benchmarks.validation.closed_forms", *options.arguments]
        write_figures(options.json, command, machine, {"rows": rows})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    methods = tuple(dict.fromkeys(method for method, _ in CHECKS))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.validation.closed_forms",
        description="What BC, CQL, IQL and DT learn, beside closed forms.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings each (default: 3)")
    parser.add_argument(
        "--methods", nargs="+", choices=methods, default=methods, help="default: all"
    )
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_check, options)


if __name__ == "__main__":
    sys.exit(main())
