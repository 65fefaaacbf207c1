"""Watch a policy: `python -m wirelessenvs.play cbf-v0 --policy fp --gif out.gif`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import (
    Progress,
    add_config_options,
    check_targets,
    parse_overrides,
    program,
    run,
    whole_file,
)
from wirelessenvs.faults import check_installed
from wirelessenvs.rendering import Renderer, write_gif
from wirelessenvs.tasks import TASKS, get_task, make_policy, make_simulator

__all__ = ["main"]


def _play(options: argparse.Namespace) -> None:
    check_int("--steps", options.steps, 1)
    check_int("--seed", options.seed, 0)
    check_real("--fps", options.fps, 0, 100, low_open=True)
    if not (options.gif or options.png or options.human):
        raise ValueError("say where to show it: --gif FILE, --png FILE or --human.")
    check_targets(options.gif, options.png)
    check_installed("matplotlib", *(["PIL"] if options.gif or options.png else []))
    task = get_task(options.task)
    simulator = make_simulator(task.id, preset=options.preset, **parse_overrides(options.overrides))
    policy = make_policy(options.policy, simulator, seed=options.seed)
    renderer = Renderer(task.draw, window=options.human)
    observations = simulator.reset([options.seed])
    policy.reset()
    frames: list[NDArray[np.uint8]] = []
    frame: NDArray[np.uint8] | None = None
    totals = dict.fromkeys(("reward", *simulator.metric_names), 0.0)
    progress = Progress("steps")
    report = progress.counter(f"{task.id} {options.policy}", options.steps)
    for done in range(1, options.steps + 1):
        actions = policy(observations, simulator.privileged(policy.information))
        step = simulator.step(actions)
        totals["reward"] += float(step.rewards.mean())
        for name in simulator.metric_names:
            totals[name] += float(step.metrics[name].mean())
        if options.gif or options.human or done == options.steps:
            frame = renderer.frame(simulator)
        if options.gif and frame is not None:
            frames.append(frame)
        observations = step.observations
        if step.truncated.any():
            observations = simulator.reset(mask=step.truncated)
            policy.reset(step.truncated)
        report(done)
    progress.close()
    renderer.close()
    _write(options, frames, frame)
    print(f"{task.id}, policy {options.policy}, {options.steps} steps, mean over agents and steps:")
    width = max(14, *map(len, totals))
    for name, total in totals.items():
        print(f"  {name:<{width}} {total / options.steps:12.4f}")


def _write(
    options: argparse.Namespace,
    frames: list[NDArray[np.uint8]],
    last: NDArray[np.uint8] | None,
) -> None:
    if options.gif:
        write_gif(options.gif, frames, options.fps)
    if options.png and last is not None:
        from PIL import Image

        with whole_file(options.png) as partial:
            Image.fromarray(last).save(partial, format="PNG")
        print(f"wrote {options.png}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("wirelessenvs.play"), description="Play a policy and watch it."
    )
    parser.add_argument("task", help=f"one of {', '.join(TASKS)}")
    parser.add_argument(
        "--policy", default="expert", help="name, or module:Class (default: expert)"
    )
    parser.add_argument("--steps", type=int, default=30, help="steps to play (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="seed of environment and policy")
    parser.add_argument("--fps", type=float, default=5.0, help="frames per second of the GIF")
    parser.add_argument("--gif", type=Path, help="write an animation")
    parser.add_argument("--png", type=Path, help="write the last frame")
    parser.add_argument("--human", action="store_true", help="show a window")
    add_config_options(parser)
    return run(_play, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
