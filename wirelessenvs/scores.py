"""Scores of every shipped policy beside the known ones: `python -m wirelessenvs.scores`.

All policies of a configuration face the same seeds: same layouts, same fading, same traffic.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirelessenvs.checks import check_int
from wirelessenvs.command import (
    Progress,
    add_config_options,
    check_targets,
    parse_overrides,
    program,
    run,
    whole_file,
)
from wirelessenvs.machine import machine_lines
from wirelessenvs.reference import ReferenceScore
from wirelessenvs.rollout import run_policy
from wirelessenvs.seeds import EVALUATION_SEEDS
from wirelessenvs.tasks import TASKS, Task, get_task, make_policy, make_simulator, policy_class

__all__ = ["Score", "main", "plan", "score_policy"]

#: First evaluation seed of this command. Environments get consecutive seeds from here.
FIRST_SEED = EVALUATION_SEEDS.start


@dataclass(frozen=True)
class Score:
    """Mean reward and metrics of one policy in one configuration.

    Args:
        task: id of the task.
        preset: of the configuration.
        overrides: fields that differ from the preset.
        policy: name of the policy.
        information: its information class.
        episodes: number of environments, each with its own seed.
        steps: per environment.
        means: reward and metrics, over agents, steps and environments.
        errors: standard error of each mean over environments (nan for a single one).
        seconds: CPU time spent.
    """

    task: str
    preset: str
    overrides: dict[str, Any]
    policy: str
    information: str
    episodes: int
    steps: int
    means: dict[str, float]
    errors: dict[str, float]
    seconds: float


def score_policy(
    task: Task,
    preset: str,
    overrides: dict[str, Any],
    policy_name: str,
    episodes: int,
    steps: int,
    seed: int = FIRST_SEED,
) -> Score:
    """Plays one policy in `episodes` environments at once for `steps` steps.

    Raises:
        ValueError: if the policy cannot play this configuration.
    """
    simulator = make_simulator(task.id, episodes, preset, **overrides)
    policy = make_policy(policy_name, simulator, seed=seed)
    progress = Progress("steps")
    report = progress.counter(f"{task.id} {preset} {policy_name}", steps)
    start = time.process_time()
    totals = run_policy(simulator, policy, steps, seed, report)
    seconds = time.process_time() - start
    progress.close()
    root = math.sqrt(episodes)
    return Score(
        task.id,
        preset,
        dict(overrides),
        policy_name,
        str(policy.information),
        episodes,
        steps,
        {name: float(values.mean()) for name, values in totals.items()},
        {
            name: float(values.std(ddof=1)) / root if episodes > 1 else math.nan
            for name, values in totals.items()
        },
        seconds,
    )


@dataclass(frozen=True)
class Section:
    """Policies to play in one configuration, with what is known of them."""

    preset: str
    overrides: dict[str, Any]
    policies: tuple[str, ...]
    references: tuple[ReferenceScore, ...]

    def extended(
        self, policies: tuple[str, ...], references: tuple[ReferenceScore, ...]
    ) -> Section:
        """This section with more policies (each once) and more known scores."""
        return Section(
            self.preset,
            self.overrides,
            tuple(dict.fromkeys((*self.policies, *policies))),
            (*self.references, *references),
        )


#: Stand in every table: scores are read relative to these two.
ANCHORS = ("random", "expert")


def plan(task: Task) -> list[Section]:
    """The default preset with every policy, then each configuration with known scores.

    A policy that cannot play the default preset is put into the first preset that it can play.
    """
    presets = tuple(task.config.presets)
    sections = {_key(presets[0], {}): Section(presets[0], {}, (), ())}
    for name in task.policies:
        preset = _first_playable(task, name)
        section = sections.get(_key(preset, {}), Section(preset, {}, ANCHORS, ()))
        sections[_key(preset, {})] = section.extended((name,), ())
    for reference in task.reference:
        overrides = dict(reference.overrides)
        key = _key(reference.preset, overrides)
        section = sections.get(key, Section(reference.preset, overrides, ANCHORS, ()))
        sections[key] = section.extended((reference.policy,), (reference,))
    return list(sections.values())


def _key(preset: str, overrides: dict[str, Any]) -> str:
    return json.dumps([preset, overrides], sort_keys=True, default=str)


def _first_playable(task: Task, name: str) -> str:
    presets = tuple(task.config.presets)
    for preset in presets:
        try:
            make_policy(name, make_simulator(task.id, 1, preset))
        except ValueError:
            continue
        return preset
    return presets[0]


def _print_section(task: Task, section: Section, scores: list[Score | str]) -> None:
    settings = ", ".join(f"{name}={value}" for name, value in section.overrides.items())
    print(f"\n### {task.id}, preset {section.preset}{', ' + settings if settings else ''}\n")
    print(f"| policy | knows | reward | {task.score} | known (here) |")
    print("|---|---|---|---|---|")
    sources: list[str] = []
    for name, score in zip(section.policies, scores, strict=True):
        if isinstance(score, str):
            print(f"| {name} | | | | {score} |")
            continue
        known = []
        for entry in section.references:
            if entry.policy == name:
                if entry.source not in sources:
                    sources.append(entry.source)
                ours = score.means[entry.metric]
                mark = sources.index(entry.source) + 1
                known.append(f"{entry.metric} {entry.value:g} [{mark}] ({ours:.4g})")
        cells = [
            f"{score.means[metric]:.3f}"
            + (f" ± {score.errors[metric]:.3f}" if score.episodes > 1 else "")
            for metric in ("reward", task.score)
        ]
        row = [name, score.information, *cells, "; ".join(known) or "-"]
        print(f"| {' | '.join(row)} |")
    if sources:
        print()
    for mark, source in enumerate(sources, 1):
        print(f"[{mark}] {source}")
    sys.stdout.flush()


def _scores(options: argparse.Namespace) -> None:
    for name in ("episodes", "steps"):
        if getattr(options, name) is not None:
            check_int(f"--{name}", getattr(options, name), 1)
    check_int("--seed", options.seed, 0)
    tasks = [get_task(name) for name in options.tasks] or list(TASKS.values())
    overrides = parse_overrides(options.overrides)
    single = options.preset is not None or overrides
    if single and len(tasks) != 1:
        raise ValueError("--preset and --set need exactly one task.")
    for task in tasks:
        for name in options.policy:
            policy_class(task, name, "--policy")
    check_targets(options.json)
    print("\n".join(machine_lines()))
    results: list[Score] = []
    for task in tasks:
        episodes = options.episodes or DEFAULT_SIZE[task.id][0]
        steps = options.steps or DEFAULT_SIZE[task.id][1]
        print(f"\n## {task.title} ({task.id}): {episodes} environments x {steps} steps")
        sections = plan(task)
        if single:
            preset = options.preset or next(iter(task.config.presets))
            known = tuple(
                entry
                for entry in task.reference
                if entry.preset == preset and dict(entry.overrides) == overrides
            )
            sections = [Section(preset, overrides, tuple(task.policies), known)]
        for section in sections:
            policies = tuple(
                p for p in section.policies if not options.policy or p in options.policy
            )
            # A rule of one's own plays every configuration.
            policies += tuple(p for p in dict.fromkeys(options.policy) if ":" in p)
            if not policies:
                continue
            section = Section(section.preset, section.overrides, policies, section.references)
            # What fits no policy is a bad option, not a line of the table.
            make_simulator(task.id, 1, section.preset, **section.overrides)
            scores: list[Score | str] = []
            for name in policies:
                try:
                    scores.append(
                        score_policy(
                            task,
                            section.preset,
                            section.overrides,
                            name,
                            episodes,
                            steps,
                            options.seed,
                        )
                    )
                except ValueError as error:
                    scores.append(f"cannot play this: {error}")
            _print_section(task, section, scores)
            results += [score for score in scores if isinstance(score, Score)]
    if options.json:
        with whole_file(options.json) as partial:
            document = {"machine": machine_lines(), "scores": [asdict(score) for score in results]}
            partial.write_text(json.dumps(document, indent=1) + "\n")
        print(f"\nwrote {options.json}")


#: Environments and steps per task that keep `make demo` in its time.
DEFAULT_SIZE = {"cbf-v0": (16, 100), "rb-v0": (64, 1000), "slicing-v0": (4, 25)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("wirelessenvs.scores"),
        description="Score every shipped policy beside the known figures.",
    )
    parser.add_argument("tasks", nargs="*", help=f"any of {', '.join(TASKS)} (default: all)")
    parser.add_argument(
        "--policy", action="append", default=[], help="only this one, or module:Class; repeatable"
    )
    parser.add_argument("--episodes", type=int, help="environments side by side, one seed each")
    parser.add_argument("--steps", type=int, help="steps per environment")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of environment 0")
    parser.add_argument("--json", type=Path, help="write the scores to a file as well")
    add_config_options(parser)
    return run(_scores, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
