"""Time of the world model: an epoch of updates, part by part, and one round of imagination.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.dima --json speed.json

Data is random, of the sizes of the tasks. Processor time is what a quiet machine would take; the
clock says what this one took beside whatever else ran.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.baselines.dima.config import PRESETS, BatchShape, DimaConfig
from benchmarks.baselines.dima.sequences import Context, Sequences, WorldSpec
from benchmarks.baselines.dima.world_model import WorldModel
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import check_targets, run, whole_file
from wirelessenvs.machine import machine_lines

__all__ = ["SPECS", "main"]

#: Sizes of the tasks at their first presets.
SPECS: Final = {
    "rb-v0": WorldSpec("rb-v0", 8, 40, 4, num_choices=11, observed=True),
    "cbf-v0": WorldSpec("cbf-v0", 19, 1539, 62, num_choices=40, observed=True),
    "slicing-v0": WorldSpec("slicing-v0", 19, 304, 12, action_size=3),
    "halfcheetah-2x3": WorldSpec("halfcheetah-2x3", 2, 17, 19, action_size=3),
}


def _random_sequences(spec: WorldSpec, shape: BatchShape) -> Sequences:
    rows, steps, agents = shape.rows, shape.steps, spec.num_agents
    if spec.discrete:
        actions = torch.randint(spec.num_choices, (rows, steps, agents))
    else:
        actions = 2 * torch.rand(rows, steps, agents, spec.action_size) - 1
    return Sequences(
        states=torch.randn(rows, steps + 1, spec.state_size),
        observations=torch.randn(rows, steps + 1, agents, spec.observation_size),
        actions=actions,
        rewards=torch.randn(rows, steps),
        terminated=torch.zeros(rows, steps, dtype=torch.bool),
        valid=torch.ones(rows, steps, dtype=torch.bool),
    )


def _timed(work: Callable[[], Any], times: int) -> tuple[float, float]:
    """Seconds of processor and clock per call, after one call that allocates."""
    work()
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    spent = time.process_time() - processor, time.perf_counter() - clock
    return spent[0] / times, spent[1] / times


def _measure(spec: WorldSpec, preset: str, options: argparse.Namespace) -> dict[str, Any]:
    torch.manual_seed(0)
    model = WorldModel(spec, DimaConfig.from_preset(preset))
    data = _random_sequences(spec, BatchShape(64, 8))
    model.observe(data.states, data.observations, data.rewards)
    row: dict[str, Any] = {"env": spec.task, "preset": preset}
    row["denoising_steps"] = model.config.denoiser.steps(spec.num_agents)
    row["weights"] = sum(p.numel() for p in model.parameters())
    for part, shape in model.batches().items():
        batch = {part: _random_sequences(spec, shape)}
        processor, clock = _timed(lambda batch=batch: model.update(batch), options.repeats)  # type: ignore[misc]
        row[f"{part}_cpu_s"] = processor * options.updates
        row[f"{part}_s"] = clock * options.updates
    size = model.config.denoiser.context
    start = _random_sequences(spec, BatchShape(options.starts, size))
    context = Context(start.states[:, :size], start.actions[:, : size - 1], start.valid)

    def imagine() -> None:
        model.begin(context)
        for _ in range(options.horizon):
            model.step(start.actions[:, 0])

    row["imagination_cpu_s"], row["imagination_s"] = _timed(imagine, 1)
    return row


def _print(row: dict[str, Any]) -> None:
    columns = ["env", "preset", "denoising_steps", "weights"]
    # A part that has nothing to learn takes no time.
    times = [
        f"{row[name]:.1f}" if (name := f"{part}_cpu_s") in row else "-"
        for part in (*WorldModel.PARTS, "imagination")
    ]
    clock = f"{row['imagination_s']:.1f}"
    print("| " + " | ".join([*(str(row[c]) for c in columns), *times, clock]) + " |", flush=True)


def _speed(options: argparse.Namespace) -> None:
    for name in ("threads", "updates", "repeats", "starts", "horizon"):
        check_int(f"--{name}", getattr(options, name), 1)
    check_targets(options.json)
    for preset in options.presets:
        check_choice("--presets", preset, tuple(PRESETS))
    for env in options.envs:
        check_choice("--envs", env, tuple(SPECS))
    torch.set_num_threads(options.threads)
    command = " ".join(["python -m benchmarks.speed.dima", *options.arguments])
    about = [command, *machine_lines(("wirelessenvs", "torch", "numpy"))]
    print("\n".join(about))
    print(
        f"{options.threads} threads; seconds of processor time for {options.updates} updates of "
        f"each part, and for {options.starts} x {options.horizon} imagined steps\n\n"
        "| env | preset | denoising steps | weights | denoiser | reward | state | imagination "
        "| by the clock |\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    rows = []
    for preset in options.presets:
        for env in options.envs:
            rows.append(_measure(SPECS[env], preset, options))
            _print(rows[-1])
    if options.json is not None:
        document = {
            "about": about,
            "threads": options.threads,
            "updates": options.updates,
            "imagined": [options.starts, options.horizon],
            "rows": rows,
        }
        with whole_file(options.json) as partial:
            partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.dima",
        description="Time of DIMA's world model: updates of each part, and imagination.",
    )
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument(
        "--presets", nargs="+", default=["wireless"], help="of the model (default: wireless)"
    )
    parser.add_argument(
        "--envs", nargs="+", default=list(SPECS), help=f"of {', '.join(SPECS)} (default: all)"
    )
    parser.add_argument("--updates", type=int, default=200, help="of an epoch (default: 200)")
    parser.add_argument("--repeats", type=int, default=10, help="that are timed (default: 10)")
    parser.add_argument("--starts", type=int, default=600, help="of imagination (default: 600)")
    parser.add_argument("--horizon", type=int, default=15, help="imagined steps (default: 15)")
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_speed, options)


if __name__ == "__main__":
    sys.exit(main())
