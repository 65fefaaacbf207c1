"""Whose action the model heeds: slopes of predicted on true effects, by conditioning and offset.

Trains the denoiser on random play, then forks the environment.

    OMP_NUM_THREADS=1 python -m benchmarks.studies.dima_diagnosis.slopes --updates 5000 \
        --set denoiser_rollout_steps=1 --set denoiser_batch_size=128 \
        --set denoiser_learning_rate=1e-3 --json slopes.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.command import run_command
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import add_overrides, imports_of, parse_overrides, program
from wirelessenvs.files import read_regular
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from benchmarks.baselines.dima.config import DimaConfig
    from benchmarks.baselines.dima.online import world_spec
    from benchmarks.baselines.dima.world_model import WorldModel
    from benchmarks.baselines.online.teams import TEAMS, make_team
    from benchmarks.markdown import header_line, row_line
    from benchmarks.studies.dima_diagnosis.model_checks import Forks, effects, fork
    from benchmarks.studies.dima_diagnosis.recording import Recording, record
    from benchmarks.studies.dima_diagnosis.training import train_on
    from networld_agent.documents import write_json

__all__ = ["main"]

#: Conditioning and offset noise, by name.
VARIANTS: Final = {
    "sequential-0.3": ("sequential", 0.3),
    "sequential-0": ("sequential", 0.0),
    "joint-0.3": ("joint", 0.3),
}
_HELD_OUT_SEED: Final = 1_000_003
_COLUMNS: Final = (
    "conditioning", "offset", "order", "agent", "place", "slope", "correlation", "error"
)  # fmt: skip
_FORK_TIMES: Final = (10, 20, 30, 40, 50, 60, 70, 80)


def _measure(
    data: Recording, forks: Forks, config: DimaConfig, options: argparse.Namespace
) -> dict[str, Any]:
    torch.manual_seed(options.seed)
    model = WorldModel(options.spec, config)
    label = f"training of {config.denoiser.conditioning}, offset {config.denoiser.offset_noise:g}"
    start = time.process_time()
    train_on(data, model, options.updates, options.seed, label, ("denoiser",))
    seconds = time.process_time() - start
    torch.manual_seed(options.seed)
    found, apart = effects(model, forks, options.draws)
    return {
        "conditioning": config.denoiser.conditioning,
        "offset_noise": config.denoiser.offset_noise,
        "training_cpu_seconds": round(seconds, 1),
        "effects": [dataclasses.asdict(entry) for entry in found],
        "difference_between_orders": apart,
    }


def _print(row: dict[str, Any]) -> None:
    for entry in row["effects"]:
        cells = [row["conditioning"], f"{row['offset_noise']:g}", entry["order"], entry["agent"]]
        figures = [f"{entry[name]:.2f}" for name in ("slope", "correlation", "error")]
        print(row_line([*cells, entry["place"] + 1, *figures]), flush=True)


def _slopes(options: argparse.Namespace) -> None:
    for name in ("steps", "episodes", "updates", "draws"):
        check_int(f"--{name}", getattr(options, name), 1)
    for name in options.variants:
        check_choice("--variants", name, tuple(VARIANTS))
    torch.set_num_threads(check_int("--threads", options.threads, 1))
    overrides = parse_overrides(options.overrides)
    base = DimaConfig.from_preset(options.preset, **overrides)
    env = make_team(options.env, options.episodes)
    options.spec = world_spec(env)
    settings = {
        "env": options.env,
        "training_steps": options.episodes * options.steps,
        "seed": options.seed,
        "denoiser": dataclasses.asdict(base.denoiser),
    }
    rows = _stored(options.json, settings)
    data = record(env, options.steps, options.seed)
    forks = fork(lambda: make_team(options.env, options.episodes), _FORK_TIMES, _HELD_OUT_SEED)
    about = [
        options.command,
        *machine_lines(("wirelessenvs", "torch", "numpy", "gymnasium-robotics")),
    ]
    print("\n".join(about))
    print(
        f"{data.rewards.numel()} random steps to train on, {options.updates} updates; "
        f"{len(forks.actions)} forks of each agent\n\n{header_line(_COLUMNS)}",
        flush=True,
    )
    for name in options.variants:
        conditioning, offset = VARIANTS[name]
        changed = {"denoiser_conditioning": conditioning, "denoiser_offset_noise": offset}
        config = DimaConfig.from_preset(options.preset, **overrides, **changed)
        found = _measure(data, forks, config, options)
        _print(found)
        rows[name] = {"about": about, "updates": options.updates, **found}
        if options.json is not None:
            write_json(options.json, {**settings, "variants": rows})


def _stored(path: Path | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Variants that a file holds already; those of this run replace them one by one.

    Raises:
        ValueError: if they were measured with other settings.
    """
    if path is None or not path.exists():
        return {}
    try:
        document = json.loads(read_regular(path))
        rows: dict[str, Any] = document.pop("variants")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise ValueError(f"{path} holds no slopes: choose another --json.") from None
    if document != settings:
        raise ValueError(f"{path} holds slopes of other settings: choose another --json.")
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.dima_diagnosis.slopes"),
        description="Slopes of predicted on true effects of each agent's action.",
    )
    parser.add_argument("--env", default="halfcheetah-2x3", help=f"one of {', '.join(TEAMS)}")
    parser.add_argument("--preset", default="paper", help="of the model (default: paper)")
    parser.add_argument("--episodes", type=int, default=35, help="played (default: 35)")
    parser.add_argument("--steps", type=int, default=1000, help="of each (default: 1000)")
    parser.add_argument("--updates", type=int, default=6000, help="of a variant (default: 6000)")
    parser.add_argument(
        "--variants", nargs="+", default=list(VARIANTS),
        help=f"of {', '.join(VARIANTS)} (default: all); a file's others are kept",
    )  # fmt: skip
    parser.add_argument("--draws", type=int, default=4, help="samples per fork (default: 4)")
    parser.add_argument("--seed", type=int, default=0, help="of play and training (default: 0)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--json", type=Path, help="write all figures")
    add_overrides(
        parser,
        "an option of the model, e.g. --set denoiser_rollout_steps=1; repeatable",
        "OPTION=VALUE",
    )
    return run_command(_slopes, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
