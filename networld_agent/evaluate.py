"""Scores a trained model beside the task's own policies, all on the same seeds.

python -m networld_agent.evaluate --model runs/rb --env rb-v0 --preset rb-8 \
        --episodes 20 --steps 1000 --seeds 3
python -m networld_agent.evaluate --model runs/rb --family rb --split test \
        --deployments 16 --episodes 2 --steps 200 --out scores.json
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wirelessenvs.checks import check_int
from wirelessenvs.command import (
    add_overrides,
    check_targets,
    imports_of,
    parse_overrides,
    program,
    run,
    split_values,
    whole_file,
)
from wirelessenvs.families import deployments
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import TASKS, get_task

with imports_of(__name__):
    import torch

    from networld_agent.deployment_options import (
        OTHER_PAGE,
        add_deployment_options,
        asks_for_family,
        chosen_deployments,
    )
    from networld_agent.documents import checksum, read_document, write_json
    from networld_agent.evaluation.comparison import TIERS, reference_players
    from networld_agent.evaluation.deployments import Method, printed_scores, score_deployments
    from networld_agent.evaluation.episodes import play, whole_batch
    from networld_agent.evaluation.options import (
        add_episode_options,
        add_warm_up,
        check_episode_options,
        print_scores,
    )
    from networld_agent.evaluation.players import PlannerPlayer, Player, check_fit
    from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, group_seeds
    from networld_agent.evaluation.table import Row, as_csv, as_json
    from networld_agent.evaluation.tuning import best_trial, tune_model
    from networld_agent.planning import Planner, PlannerConfig
    from networld_agent.worlds.interface import Worlds
    from networld_agent.worlds.make import deployment_worlds, make_worlds

__all__ = ["main", "planner_config", "swept_configs"]


def planner_config(pairs: Sequence[str]) -> PlannerConfig:
    """The options of `--plan NAME=VALUE`, each named as in `PlannerConfig`.

    Raises:
        ValueError: for an unknown name or a wrong value.
    """
    known = [field.name for field in dataclasses.fields(PlannerConfig)]
    options = parse_overrides(pairs, "--plan")
    for name in options:
        if name not in known:
            raise ValueError(f"--plan knows {', '.join(known)}; got {name!r}.")
    return PlannerConfig(**options)


def swept_configs(pairs: Sequence[str], sweep: str | None) -> dict[str, PlannerConfig]:
    """Planner options by what sets them apart: one for each value of `--sweep`.

    Args:
        pairs: as for `planner_config`.
        sweep: "NAME=VALUE,VALUE,...", or None for a single entry named "".

    Raises:
        ValueError: for an unknown name, no value, a wrong one, or a name that `pairs` hold, too.

    Example:
        >>> list(swept_configs(["sampler=dpm"], "steps=1,3"))
        ['steps=1', 'steps=3']
    """
    if sweep is None:
        return {"": planner_config(pairs)}
    name, values = split_values(sweep, "--sweep")
    if name in parse_overrides(pairs, "--plan"):
        raise ValueError(f"--sweep must vary what --plan does not fix, got {name} in both.")
    changed = [f"{name}={value}" for value in values]
    return {change: planner_config([*pairs, change]) for change in changed}


def _planners(options: argparse.Namespace, task: str) -> Iterator[tuple[str, Path, Planner]]:
    """Name, model and planner of each row of the models."""
    configs = swept_configs(options.plan, options.sweep)
    for path in options.model:
        name = "networld" if len(options.model) == 1 else f"networld {path}"
        for change, config in configs.items():
            try:
                planner = Planner.load(path, task, config, options.device)
            except ValueError as error:
                # Of a model that does not know the task, the sentence names neither.
                named = str(path) in str(error)
                raise ValueError(str(error) if named else f"{path}: {error}") from None
            yield f"{name} {change}".strip(), path, planner


def _players(options: argparse.Namespace, worlds: Worlds) -> list[Player]:
    players: list[Player] = []
    for name, _, planner in _planners(options, worlds.task):
        check_fit(planner, worlds)
        players.append(PlannerPlayer(planner, name))
    players += reference_players(worlds, options.policies)
    if not players:
        raise ValueError("there is nothing to play: give --model or --policies.")
    return players


def _evaluate(options: argparse.Namespace) -> None:
    check_episode_options(options)
    check_int("--num-envs", options.num_envs, 1)
    check_targets(options.json, options.csv, options.render)
    if options.render is not None and not options.model:
        raise ValueError("--render needs a --model to show.")
    if options.render is not None:
        check_installed("matplotlib", "PIL")
    _check_models(options)
    overrides = parse_overrides(options.overrides)
    seeds = group_seeds(TEST_SEEDS, options.seed, options.seeds, options.episodes)

    def worlds_for(episodes: int, steps: int) -> Worlds:
        batch = whole_batch(episodes, options.num_envs)
        total = steps + options.warm_up
        return make_worlds(options.env, batch, total, options.preset, overrides)

    worlds = worlds_for(len(seeds), options.steps)
    players = _players(options, worlds)
    print("\n".join(machine_lines(("wirelessenvs", "torch", "numpy"))))
    if options.tune_guidance:
        tuning = group_seeds(VALIDATION_SEEDS, None, 1, options.tune_episodes)
        _tune(options, [worlds_for(len(tuning), options.tune_steps)], tuning)
        players = _players(options, worlds)
    rows = print_scores(options, worlds, players, seeds, "episodes")
    _write(options, rows, seeds, overrides)
    if options.render is not None:
        _render(options, worlds_for(1, min(options.steps, options.frames)), seeds[0])


def _check_models(options: argparse.Namespace) -> None:
    if len(set(options.model)) < len(options.model):
        raise ValueError("--model names a model twice: each is one row.")
    if options.sweep is not None and not options.model:
        raise ValueError("--sweep needs a --model to plan with.")
    if options.threads is not None:
        torch.set_num_threads(check_int("--threads", options.threads, 1))


def _evaluate_family(options: argparse.Namespace) -> None:
    indices = chosen_deployments(options)
    _check_models(options)
    check_targets(options.out)
    split = deployments(options.family, options.split)
    if options.tune_guidance:
        _tune_over_family(options)
    methods = {
        name: _method(name, path, planner)
        for name, path, planner in _planners(options, split.family.task_id)
    }
    print("\n".join(machine_lines(("wirelessenvs", "torch", "numpy"))))
    print(
        f"\n{options.family}/{options.split}: deployments {indices.start} to {indices.stop - 1}, "
        f"{options.episodes} episodes of {options.steps} steps each\n"
    )
    scores = score_deployments(
        [split[index] for index in indices],
        methods,
        options.policies,
        episodes=options.episodes,
        steps=options.steps,
        warm_up=options.warm_up,
        overrides=parse_overrides(options.overrides),
        num_envs=options.num_envs,
        out=options.out,
    )
    print(printed_scores(scores))
    if options.out is not None:
        print(f"\nwrote {options.out}")


def _method(name: str, path: Path, planner: Planner) -> Method:
    def make(worlds: Worlds) -> Player:
        check_fit(planner, worlds)
        return PlannerPlayer(planner, name)

    # Of its description, which names the weights and holds what was tuned.
    model = checksum(read_document(path / "model.json", "model"))
    identity = {"model": model, "plan": dataclasses.asdict(planner.config)}
    return Method(make, identity=identity)


def _tune_over_family(options: argparse.Namespace) -> None:
    for name in ("tune_deployments", "tune_episodes", "tune_steps"):
        check_int(f"--{name.replace('_', '-')}", getattr(options, name), 1)
    sites = deployments(options.family, "validation")[: options.tune_deployments]
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, options.tune_episodes)
    batch = whole_batch(len(seeds), options.num_envs)
    total, overrides = options.tune_steps + options.warm_up, parse_overrides(options.overrides)
    _tune(options, [deployment_worlds(site, batch, total, overrides) for site in sites], seeds)


def _tune(options: argparse.Namespace, worlds: Sequence[Worlds], seeds: Sequence[int]) -> None:
    steps = options.tune_steps
    for path in options.model:
        where = f" at each of {len(worlds)} validation deployments" if len(worlds) > 1 else ""
        print(f"\nguidance of {path}, {len(seeds)} validation episodes of {steps} steps{where}\n")
        trials = tune_model(
            path, worlds, seeds, steps, planner_config(options.plan), options.device,
            options.warm_up,
        )  # fmt: skip
        print("| temperature | scale | steps | values | reward | gain over unguided [95 %] |")
        print("|---|---|---|---|---|---|")
        for trial in trials:
            low, high = trial.gain_interval
            gain = f"{trial.gain:.4f} [{low:.4f}, {high:.4f}]"
            setting = f"{trial.temperature:g} | {trial.scale:g} | {trial.denoising_steps}"
            setting += " | -" if trial.value_scale is None else f" | {trial.value_scale:g}"
            print(f"| {setting} | {trial.reward:.4f} | {gain} |")
        best = best_trial(trials)
        print(
            f"\nstored temperature {best.temperature:g}, scale {best.scale:g}, "
            f"{best.denoising_steps} denoising steps"
            + ("" if best.value_scale is None else f", weight {best.value_scale:g} of values")
            + f" with {path}"
        )


def _write(
    options: argparse.Namespace,
    rows: Sequence[Row],
    seeds: Sequence[int],
    overrides: dict[str, Any],
) -> None:
    if options.json is not None:
        document = {
            "command": " ".join(["python -m networld_agent.evaluate", *options.arguments]),
            "machine": machine_lines(("wirelessenvs", "torch", "numpy")),
            "env": options.env,
            "preset": options.preset,
            "overrides": overrides,
            "steps": options.steps,
            "warm_up": options.warm_up,
            "seeds": list(seeds),
            "planner": dataclasses.asdict(planner_config(options.plan)),
            "sweep": options.sweep,
            "rows": as_json(rows),
        }
        write_json(options.json, document)
        print(f"wrote {options.json}")
    if options.csv is not None:
        with whole_file(options.csv) as partial:
            partial.write_text(as_csv(rows))
        print(f"wrote {options.csv}")


def _render(options: argparse.Namespace, worlds: Worlds, seed: int) -> None:
    from wirelessenvs.rendering import Renderer, write_gif

    simulator, config = worlds.simulator, planner_config(options.plan)
    if simulator is None:
        raise ValueError(f"--render draws this project's tasks: {', '.join(TASKS)}.")
    planner = Planner.load(options.model[0], worlds.task, config, options.device)
    renderer, frames = Renderer(get_task(worlds.task).draw), list[Any]()
    steps = min(options.steps, options.frames)
    play(
        worlds, PlannerPlayer(planner), [seed], steps, options.warm_up,
        watch=lambda: frames.append(renderer.frame(simulator)),
    )  # fmt: skip
    renderer.close()
    write_gif(options.render, frames, fps=5)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    over_family = asks_for_family(words)
    parser = argparse.ArgumentParser(
        prog=program("networld_agent.evaluate"),
        description="Score trained models beside the task's own policies, on the same seeds.",
        epilog=None if over_family else OTHER_PAGE,
    )
    parser.add_argument(
        "--model", type=Path, action="append", default=[],
        help="folder of a trained model; repeatable, one row each",
    )  # fmt: skip
    (_add_family_options if over_family else _add_options)(parser)
    parser.add_argument(
        "--plan", metavar="NAME=VALUE", action="append", default=[],
        help="an option of the planner, e.g. --plan sampler=dpm --plan steps=10; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--sweep", metavar="NAME=VALUE,VALUE,...",
        help="one row for each value of this option of the planner, e.g. --sweep steps=1,3,10",
    )  # fmt: skip
    parser.add_argument("--num-envs", type=int, default=64, help="episodes at once (default: 64)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    options = parser.parse_args(words)
    options.arguments = words
    return run(_evaluate_family if over_family else _evaluate, options)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_episode_options(parser, seeds=3)
    parser.add_argument("--seed", type=int, help="of the first episode")
    parser.add_argument(
        "--policies", nargs="*",
        help="tiers, policies or module:Class to play beside it, or all; random or "
        f"module:function in an environment from a factory (default: {' '.join(TIERS)})",
    )  # fmt: skip
    _add_tuning_options(parser, 8)
    parser.add_argument("--json", type=Path, help="write all figures")
    parser.add_argument("--csv", type=Path, help="write the table")
    parser.add_argument("--render", type=Path, help="write an animation of the first episode")
    parser.add_argument("--frames", type=int, default=60, help="of the animation (default: 60)")


def _add_tuning_options(parser: argparse.ArgumentParser, episodes: int, where: str = "") -> None:
    parser.add_argument(
        "--tune-guidance", action="store_true",
        help="first choose temperature, guidance scale, steps and the weight of values on "
        f"validation seeds{where} and store them",
    )  # fmt: skip
    parser.add_argument(
        "--tune-episodes", type=int, default=episodes, help="(default: %(default)s)"
    )
    parser.add_argument("--tune-steps", type=int, default=200, help="(default: 200)")


def _add_family_options(parser: argparse.ArgumentParser) -> None:
    add_deployment_options(parser, 16)
    add_overrides(
        parser, "an argument of the environment that no deployment fixes, e.g. --set context=true; "
        "repeatable",
    )  # fmt: skip
    parser.add_argument("--episodes", type=int, default=2, help="per deployment (default: 2)")
    parser.add_argument("--steps", type=int, default=200, help="per episode (default: 200)")
    add_warm_up(parser)
    parser.add_argument(
        "--policies", nargs="*",
        help="policies, tiers or module:Class to play beside random, local rules and expert, or "
        "all (default: the family's other rules)",
    )  # fmt: skip
    _add_tuning_options(parser, 1, " of deployments of the split validation")
    parser.add_argument("--tune-deployments", type=int, default=8, help="(default: 8)")
    parser.add_argument(
        "--out", type=Path, help="write all figures, deployment by deployment; goes on from there"
    )


if __name__ == "__main__":
    sys.exit(main())
