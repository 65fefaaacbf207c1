"""How far imagined states stray over 15 steps: DIMA sequential, joint, and one-step networks.

python -m benchmarks.studies.dima_diagnosis.imagination_error --seeds 1 2 3 \
        --pieces benchmarks/results/dima-imagination --png docs/images/dima-imagination.png

All learn from the same random play, with as many updates, and imagine with the actions of episodes
that they have not seen. It goes on where it was stopped: every trained model is a file of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.command import add_pieces, run_command
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import (
    add_overrides,
    check_targets,
    imports_of,
    parse_overrides,
    program,
    whole_file,
)
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch
    from torch import Tensor

    from benchmarks.baselines.dima.config import DimaConfig
    from benchmarks.baselines.dima.online import world_spec
    from benchmarks.baselines.dima.sequences import Context, WorldSpec
    from benchmarks.baselines.dima.state_normaliser import StateNormaliser
    from benchmarks.baselines.dima.world_model import WorldModel
    from benchmarks.baselines.online.teams import TEAMS, make_team
    from benchmarks.markdown import table_lines
    from benchmarks.records import remembered
    from benchmarks.studies.dima_diagnosis.recording import Recording, record
    from benchmarks.studies.dima_diagnosis.step_ensemble import StepEnsemble
    from benchmarks.studies.dima_diagnosis.training import train_on

__all__ = ["cumulative_error", "main"]

#: Orders in which a trained model is tried, by what is trained.
_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "sequential": ("random", "ascending", "descending"),
    "joint": ("",),
    "ensemble": ("",),
}
_HORIZON: Final = 15
_HELD_OUT: Final = 1_000_003


def cumulative_error(
    begin: Callable[[Context], None],
    step: Callable[[Tensor], Tensor],
    scale: StateNormaliser,
    held_out: Recording,
    starts: int,
) -> list[float]:
    """Sum over imagined steps, up to each, of the mean absolute error per entry of the state.

    Args:
        begin: starts imagined episodes after a context of three states.
        step: goes on with actions `(B, n[, A])`; states `(B, S)`.
        scale: errors are in its deviations.
        held_out: episodes whose actions are taken.
        starts: evenly spaced in every episode.
    """
    size, last = 3, held_out.num_steps - _HORIZON
    if last < size - 1:
        raise ValueError(
            f"episodes must have at least {_HORIZON + size - 1} steps, got {held_out.num_steps}."
        )
    rows = []
    for start in np.unique(np.linspace(size - 1, last, starts).astype(int)):
        begin(held_out.context(int(start), size))
        apart = [
            (scale(step(held_out.actions[:, t])) - scale(held_out.states[:, t + 1])).abs().mean()
            for t in range(start, start + _HORIZON)
        ]
        rows.append(torch.stack(apart))
    return [float(value) for value in torch.stack(rows).mean(0).cumsum(0)]


def _measured(
    kind: str, data: Recording, held_out: Recording, spec: WorldSpec, options: argparse.Namespace,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    config = _config(kind, options)
    torch.manual_seed(seed)
    start = time.process_time()
    if kind == "ensemble":
        ensemble = StepEnsemble(spec, config.limit)
        ensemble.fit(data, options.updates, config.denoiser.batch_size, seed)
        seconds = time.process_time() - start
        found = {"": cumulative_error(
            ensemble.begin, ensemble.step, ensemble.states, held_out, options.starts
        )}  # fmt: skip
        return {"cpu_seconds": round(seconds, 1), "errors": found}
    model = WorldModel(spec, config)
    train_on(data, model, options.updates, seed, kind, ("denoiser",))
    seconds, found = time.process_time() - start, {}
    for order in _ORDERS[kind]:
        changed = dataclasses.replace(config.denoiser, order=order or "random")
        model.denoiser.config = changed
        torch.manual_seed(seed)
        found[order] = cumulative_error(
            model.begin, lambda a: model.step(a).state, model.states, held_out, options.starts
        )
    return {"cpu_seconds": round(seconds, 1), "errors": found}


def _config(kind: str, options: argparse.Namespace) -> DimaConfig:
    changed = parse_overrides(options.overrides)
    if kind != "ensemble":
        changed["denoiser_conditioning"] = kind
    return DimaConfig.from_preset(options.preset, **changed)


def _persistence(data: Recording, held_out: Recording, options: argparse.Namespace) -> list[float]:
    """Of saying that nothing changes."""
    present: list[Tensor] = []
    scale = StateNormaliser(data.states.shape[-1], 10.0)
    scale.update(data.states[:, :-1])

    def begin(context: Context) -> None:
        present[:] = [context.states[:, -1]]

    return cumulative_error(begin, lambda _: present[0], scale, held_out, options.starts)


def _study(options: argparse.Namespace) -> None:
    check_targets(options.png)
    check_choice("--env", options.env, TEAMS)
    for name in ("steps", "episodes", "updates", "starts"):
        check_int(f"--{name}", getattr(options, name), 1)
    torch.set_num_threads(1)
    settings = {
        name: getattr(options, name) for name in ("env", "steps", "episodes", "updates", "starts")
    }

    @cache
    def play(seed: int) -> tuple[Recording, Recording, WorldSpec]:
        env = make_team(options.env, options.episodes)
        data = record(env, options.steps, check_int("--seeds", seed, 0))
        held_out = record(make_team(options.env, 4), min(options.steps, 200), _HELD_OUT + seed)
        return data, held_out, world_spec(env)

    rows = []
    for seed in options.seeds:
        for kind in (*_ORDERS, "persistence"):
            identity = {"kind": kind, "seed": seed, **settings}
            if kind != "persistence":
                identity["config"] = _config(kind, options).to_json()

            def make(kind: str = kind, seed: int = seed) -> dict[str, Any]:
                data, held_out, spec = play(seed)
                about = {
                    "command": options.command,
                    "machine": machine_lines(("torch", "numpy", "mujoco")),
                }
                if kind == "persistence":
                    found = {"": _persistence(data, held_out, options)}
                    return {"cpu_seconds": 0.0, "errors": found, **about}
                return {**_measured(kind, data, held_out, spec, options, seed), **about}

            path = options.pieces / f"{options.env}-{kind}-{seed}.json"
            rows.append(remembered(path, identity, make))
    print("\n".join(_table(rows)))
    if options.png is not None:
        with whole_file(options.png) as partial:
            _draw(rows, partial)


def _by_name(rows: Sequence[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """Errors of every seed, by model and order."""
    found: dict[str, list[list[float]]] = {}
    for row in rows:
        for order, errors in row["errors"].items():
            found.setdefault(f"{row['kind']}, {order}" if order else row["kind"], []).append(errors)
    return found


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    seconds = {row["kind"]: row["cpu_seconds"] for row in rows}
    found = []
    for name, errors in _by_name(rows).items():
        ends = [f"{row[-1]:.2f}" for row in errors]
        columns = np.array(errors).mean(0)
        found.append([
            name, *(f"{columns[step - 1]:.2f}" for step in (1, 5, 15)), ", ".join(ends),
            f"{seconds[name.partition(',')[0]]:.0f}",
        ])  # fmt: skip
    heads = ("model, order", "1 step", "5 steps", "15 steps", "15 steps by seed", "CPU s")
    return table_lines(heads, found)


def _draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    # Only who wants a picture needs matplotlib.
    os.environ.setdefault("MPLBACKEND", "agg")
    import matplotlib
    import matplotlib.pyplot as plt

    from benchmarks.experiment.reporting.figures import RC

    with matplotlib.rc_context(RC):
        figure, axis = plt.subplots(figsize=(6.4, 4), layout="constrained")
        for name, errors in _by_name(rows).items():
            values = np.array(errors)
            steps = range(1, values.shape[1] + 1)
            (line,) = axis.plot(steps, values.mean(0), marker="o", ms=3, label=name)
            axis.fill_between(
                steps, values.min(0), values.max(0), color=line.get_color(), alpha=0.15, lw=0
            )
        axis.set_xlabel("imagined steps")
        axis.set_ylabel("cumulative L1 error per entry, in deviations")
        axis.legend()
        figure.savefig(path, format="png")
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.dima_diagnosis.imagination_error"),
        description="Cumulative error of imagined states, by model and conditioning order.",
    )
    parser.add_argument("--env", default="halfcheetah-2x3", help=f"one of {', '.join(TEAMS)}")
    parser.add_argument("--preset", default="wireless", help="of the model (default: wireless)")
    parser.add_argument("--episodes", type=int, default=20, help="played (default: 20)")
    parser.add_argument("--steps", type=int, default=1000, help="of each (default: 1000)")
    parser.add_argument("--updates", type=int, default=3000, help="of a model (default: 3000)")
    parser.add_argument("--starts", type=int, default=20, help="per test episode (default: 20)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="(default: 1)")
    add_pieces(parser)
    parser.add_argument("--png", type=Path, help="draw the errors here")
    add_overrides(
        parser,
        "an option of the model, e.g. --set denoiser_rollout_steps=3; repeatable",
        "OPTION=VALUE",
    )
    return run_command(_study, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
