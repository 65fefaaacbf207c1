"""What rules, expert and bound reach in a family: `python -m wirelessenvs.families.anchors rb`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import Progress, check_targets, run, whole_file
from wirelessenvs.families.catalogue import FAMILIES, deployments, get_family
from wirelessenvs.families.deployment import Deployment, Family
from wirelessenvs.machine import machine_lines
from wirelessenvs.policy import Information
from wirelessenvs.rollout import run_policy
from wirelessenvs.seeds import EVALUATION_SEEDS
from wirelessenvs.tasks import make_policy

__all__ = ["Anchors", "anchors_of", "local_rules", "main", "measure", "rewards"]


def rewards(site: Deployment, policies: Sequence[str], episodes: int, steps: int) -> list[float]:
    """Mean reward per agent and step of each policy at one site, all on the same seeds."""
    simulator = site.make("simulator", num_envs=episodes)
    first = EVALUATION_SEEDS.start
    return [
        float(run_policy(simulator, make_policy(name, simulator), steps, first)["reward"].mean())
        for name in policies
    ]


@dataclass(frozen=True)
class Anchors:
    """Rewards of a split's first deployments.

    Args:
        family: of the deployments.
        split: of the deployments.
        rewards: `(K, P)` mean reward per agent and step: deployments, then policies.
        policies: `(P,)` names, `anchors_of(family)` by default; whatever else was played as well.
    """

    family: Family
    split: str
    rewards: NDArray[np.float64]
    policies: tuple[str, ...] = ()

    @property
    def best_local_rule(self) -> str:
        """The rule with the best mean among the local ones."""
        return self._best(local_rules(self.family))

    @property
    def best_rule(self) -> str:
        """The rule with the best mean."""
        return self._best(self.family.rules)

    def of(self, policy: str) -> NDArray[np.float64]:
        """`(K,)` rewards of one policy."""
        names = self.policies or anchors_of(self.family)
        column: NDArray[np.float64] = self.rewards[:, names.index(policy)]
        return column

    def margin(self, rule: str) -> tuple[float, float]:
        """Mean by which the expert is ahead of a rule, and its standard error over deployments."""
        ahead = self.of(self.family.expert) - self.of(rule)
        return float(ahead.mean()), float(ahead.std(ddof=1) / np.sqrt(len(ahead)))

    def _best(self, names: Iterable[str]) -> str:
        return max(names, key=lambda name: float(self.of(name).mean()))


def local_rules(family: Family) -> tuple[str, ...]:
    """The family's rules that act on an agent's own observation alone."""
    policies = family.task.policies
    return tuple(n for n in family.rules if policies[n].information is Information.LOCAL)


def anchors_of(family: Family) -> tuple[str, ...]:
    """Rules, expert and bound of a family."""
    return (*family.rules, family.expert, family.bound)


def measure(
    family: Family, split: str, count: int, episodes: int, steps: int, progress: Progress
) -> Anchors:
    """Plays every anchor in the first `count` deployments of a split."""
    report = progress.counter(f"{family.name} {split}", count)
    rows = []
    for site in deployments(family.name, split)[:count]:
        rows.append(rewards(site, anchors_of(family), episodes, steps))
        report(len(rows))
    return Anchors(family, split, np.array(rows))


def table(results: Sequence[Anchors]) -> str:
    """Policies by splits as a Markdown table, and how far the expert is ahead."""
    family = results[0].family
    lines = [
        "| policy | knows | " + " | ".join(result.split for result in results) + " |",
        "|---|---|" + "---|" * len(results),
    ]
    for name in anchors_of(family):
        marks = {family.expert: " (expert)", family.bound: " (bound)"}
        cells = []
        for result in results:
            bold = "**" if name in (result.best_local_rule, result.best_rule) else ""
            cells.append(f"{bold}{result.of(name).mean():.2f}{bold}")
        row = [name + marks.get(name, ""), str(family.task.policies[name].information), *cells]
        lines.append(f"| {' | '.join(row)} |")
    for title, rule_of in (
        ("ahead of best local rule", lambda result: result.best_local_rule),
        ("ahead of best rule", lambda result: result.best_rule),
    ):
        margins = (result.margin(rule_of(result)) for result in results)
        cells = [f"{mean:.2f} ± {error:.2f}" for mean, error in margins]
        lines.append(f"| expert {title} | | {' | '.join(cells)} |")
    return "\n".join(lines)


#: Deployments per split, environments per deployment and steps of each.
DEFAULT_SIZE = {"rb": (16, 4, 500), "cbf": (16, 1, 50), "slicing": (8, 1, 8)}


def _anchors(options: argparse.Namespace) -> None:
    family = get_family(options.family)
    splits = options.split or list(family.splits)
    for split in splits:
        check_choice(f"split of family {family.name!r}", split, family.splits)
    count, episodes, steps = DEFAULT_SIZE[family.name]
    if options.deployments is not None:
        count = check_int("--deployments", options.deployments, 2)
    if options.episodes is not None:
        episodes = check_int("--episodes", options.episodes, 1)
    if options.steps is not None:
        steps = check_int("--steps", options.steps, 1)
    check_targets(options.json)
    print("\n".join(machine_lines()))
    print(f"\n{count} deployments x {episodes} environments x {steps} steps\n")
    progress = Progress("deployments")
    results = [measure(family, split, count, episodes, steps, progress) for split in splits]
    progress.close()
    print(table(results))
    if options.json:
        document = {
            "machine": machine_lines(),
            "family": family.name,
            "version": family.version,
            "episodes": episodes,
            "steps": steps,
            "policies": anchors_of(family),
            "rewards": {result.split: result.rewards.tolist() for result in results},
        }
        with whole_file(options.json) as partial:
            partial.write_text(json.dumps(document, indent=1) + "\n")
        print(f"\nwrote {options.json}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelessenvs.families.anchors",
        description="Score rules, expert and bound of a family, split by split.",
    )
    parser.add_argument("family", help=f"one of {', '.join(FAMILIES)}")
    parser.add_argument("--split", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--deployments", type=int, help="of each split, from the first on")
    parser.add_argument("--episodes", type=int, help="environments side by side, one seed each")
    parser.add_argument("--steps", type=int, help="steps per environment")
    parser.add_argument("--json", type=Path, help="write all rewards to a file as well")
    return run(_anchors, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
