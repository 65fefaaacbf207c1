"""Scores over the deployments of a family: the same seeds at each, one piece after the other.

A score is a ratio of means over deployments, mean(method - zero) / mean(hundred - zero), and is
bootstrapped over deployments. Where the expert is hardly ahead of the best local rule, the ratio of
a single deployment is noise without bound: a mean of such ratios would be of that noise alone.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

import networld_agent
import wirelessenvs
from networld_agent.collecting.tiers import tier_policy
from networld_agent.documents import read_document, write_document
from networld_agent.evaluation.episodes import play, whole_batch
from networld_agent.evaluation.players import Player, PolicyPlayer
from networld_agent.evaluation.scores import bootstrap_interval, normalised, normalised_interval
from networld_agent.evaluation.seeds import TEST_SEEDS, group_seeds
from networld_agent.fields import Fields
from networld_agent.worlds.interface import Worlds
from networld_agent.worlds.make import deployment_worlds
from wirelessenvs.checks import check_int
from wirelessenvs.command import Progress
from wirelessenvs.families import Deployment, Family
from wirelessenvs.families.anchors import Anchors, local_rules
from wirelessenvs.files import read_regular
from wirelessenvs.json_values import finite_or_null, first_difference
from wirelessenvs.loading import load
from wirelessenvs.tasks import policy_class

__all__ = ["FamilyScores", "Method", "ScoreRow", "printed_scores", "score_deployments"]

FORMAT: Final = "networld-family-scores"


@dataclass(frozen=True)
class Method:
    """What is scored beside the family's policies.

    Args:
        make: the player for the worlds of one deployment.
        information: what it may know.
        identity: JSON values that tell this method from another one of its name, so that stored
            results are known to be its own.
    """

    make: Callable[[Worlds], Player]
    information: str = "neighbors"
    identity: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreRow:
    """A method over all deployments, with 95 % intervals of a bootstrap over deployments.

    Args:
        method: name.
        information: what it may know.
        reward: mean per agent and step.
        reward_interval: of it.
        over_rule: score, 0 the best local rule and 100 the expert.
        over_rule_interval: of it.
        over_random: score, 0 random and 100 the expert.
        over_random_interval: of it.
    """

    method: str
    information: str
    reward: float
    reward_interval: tuple[float, float]
    over_rule: float
    over_rule_interval: tuple[float, float]
    over_random: float
    over_random_interval: tuple[float, float]


@dataclass(frozen=True)
class FamilyScores:
    """Rewards of methods at deployments.

    Args:
        sites: the deployments.
        anchors: `(K, M)` mean rewards, deployments by methods, and what they say of rules.
        information: class by method.
    """

    sites: tuple[Deployment, ...]
    anchors: Anchors
    information: dict[str, str]

    @property
    def rows(self) -> list[ScoreRow]:
        """One per method."""
        anchors, rows = self.anchors, []
        ends = [anchors.of(name) for name in (anchors.best_local_rule, "random")]
        expert = anchors.of(anchors.family.expert)
        for method, information in self.information.items():
            values = anchors.of(method)
            scores: list[Any] = []
            for zero in ends:
                means = (float(x.mean()) for x in (values, zero, expert))
                scores += [normalised(*means), normalised_interval(values, zero, expert)]
            mean = float(values.mean())
            rows.append(ScoreRow(method, information, mean, bootstrap_interval(values), *scores))
        return rows

    def site_scores(self, row: int) -> dict[str, dict[str, float]]:
        """Both scores of every method at one deployment; noise where there is hardly room."""
        anchors = self.anchors
        at = {method: float(anchors.of(method)[row]) for method in self.information}
        rule, random, expert = (
            at[name] for name in (anchors.best_local_rule, "random", anchors.family.expert)
        )
        return {
            method: {
                "over_rule": normalised(value, rule, expert),
                "over_random": normalised(value, random, expert),
            }
            for method, value in at.items()
        }


def score_deployments(
    sites: Sequence[Deployment],
    methods: Mapping[str, Method],
    policies: Sequence[str] | None = None,
    *,
    episodes: int = 2,
    steps: int = 200,
    warm_up: int = 5,
    overrides: dict[str, Any] | None = None,
    num_envs: int = 64,
    out: Path | None = None,
) -> FamilyScores:
    """Plays methods and policies at each deployment, all on the same seeds.

    Local rules, random actions among them, and the family's expert are always played: they are what
    scores are counted from. With `out`, every deployment is written as soon as it is played, and a
    stopped run goes on with the same call.

    Args:
        sites: deployments of one split.
        methods: by name.
        policies: further ones, as `networld_agent.evaluate --policies` takes them; by default the
            family's other rules.
        episodes: at each deployment.
        steps: counted per episode.
        warm_up: random joint actions before them, the same for all.
        overrides: fields of the task's configuration that no deployment fixes.
        num_envs: most episodes side by side.
        out: file of the scores.

    Raises:
        ValueError: if a method does not fit a deployment, or `out` holds something else.

    Example:
        >>> from wirelessenvs import deployments
        >>> sites = deployments("rb", "test")[:2]
        >>> scores = score_deployments(sites, {}, [], episodes=1, steps=20)
        >>> [(row.method, row.over_random) for row in scores.rows][-1]
        ('bayes', 100.0)
    """
    for name, value, low in (("episodes", episodes, 1), ("steps", steps, 1),
                             ("num-envs", num_envs, 1), ("warm-up", warm_up, 0)):  # fmt: skip
        check_int(f"--{name}", value, low)
    family, split = sites[0].family, sites[0].split
    played = _policies(family, sites[0], policies)
    if both := set(played) & methods.keys():
        raise ValueError(f"{sorted(both)[0]!r} is the name of a policy: call the method otherwise.")
    names = (*methods, *played)
    seeds = group_seeds(TEST_SEEDS, None, 1, episodes)
    versions = {
        "wirelessenvs": wirelessenvs.__version__,
        "networld_agent": networld_agent.__version__,
    }
    settings = {
        "versions": versions,
        "family": family.name,
        "version": family.version,
        "split": split,
        "deployments": [site.index for site in sites],
        "episodes": episodes,
        "steps": steps,
        "warm_up": warm_up,
        "overrides": overrides or {},
        "methods": {
            name: methods[name].identity if name in methods else _code_identity(name)
            for name in names
        },
    }
    document: dict[str, Any] = {
        "format": FORMAT,
        "format_version": 1,
        "settings": settings,
        "deployments": [],
    }
    # As a reader returns it: lists, not tuples.
    document = json.loads(json.dumps(document))
    if out is not None and out.exists():
        document = _stored(out, document)
    if out is not None:
        _check_records(out, document, sites, names)
    records: list[dict[str, Any]] = document["deployments"]
    batch, total = whole_batch(episodes, num_envs), warm_up + steps
    per_site = len(names) * total * (episodes // batch)
    line = Progress("steps", every_s=10)
    line("scoring", len(records) * per_site, len(sites) * per_site)
    for site in sites[len(records) :]:
        worlds = deployment_worlds(site, batch, total, overrides or {})
        players = {name: method.make(worlds) for name, method in methods.items()}
        players |= {name: PolicyPlayer(worlds, name) for name in played}
        rewards = dict[str, float]()
        for name, player in players.items():
            before = len(records) * per_site + len(rewards) * per_site // len(names)

            def report(done: int, before: int = before) -> None:
                line("scoring", before + done, len(sites) * per_site)

            counted = play(worlds, player, seeds, steps, warm_up, report)
            rewards[name] = float(counted.rewards.mean())
        records.append({
            "index": site.index, "fingerprint": site.fingerprint, "quantities": site.quantities,
            "agents": len(worlds.agents), "rewards": rewards,
        })  # fmt: skip
        if out is not None:
            write_document(out, document)
    line.close()
    table = np.array([[record["rewards"][name] for name in names] for record in records])
    anchors = Anchors(family, split, table, names)
    information = {name: method.information for name, method in methods.items()}
    for name in played:
        information[name] = str(policy_class(family.task, name).information)
    scores = FamilyScores(tuple(sites), anchors, information)
    if out is not None:
        for row, record in enumerate(records):
            record["scores"] = scores.site_scores(row)
        document["best_local_rule"] = scores.anchors.best_local_rule
        document["expert"] = family.expert
        document["summary"] = [vars(row) for row in scores.rows]
        write_document(out, finite_or_null(document))
    return scores


def _policies(family: Family, site: Deployment, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Policies to play, each once: local rules, what was asked for, and the expert as the last."""
    wanted: list[str] = []
    for name in family.rules if asked is None else asked:
        if name == "all":
            wanted += [*family.rules, family.bound]
        else:
            # By its own name where it has one: in rb, "expert" is a rule, and "bayes" the expert.
            known = name in family.task.policies
            wanted.append(
                name if known else tier_policy(family.task, name, site.config, "--policies")
            )
    for name in wanted:
        policy_class(family.task, name, "--policies")
    local = local_rules(family)
    return (*dict.fromkeys(name for name in (*local, *wanted) if name != family.expert),
            family.expert)  # fmt: skip


def _stored(out: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run of the same settings has written.

    Raises:
        ValueError: saying what the file holds instead.
    """
    found = read_document(out, "file of scores")
    for key in ("format", "format_version", "settings"):
        if (change := first_difference(found.get(key), wanted[key], key)) is not None:
            raise ValueError(f"{out} holds scores of other settings: {change}.")
    return found


def _check_records(
    out: Path, document: dict[str, Any], sites: Sequence[Deployment], names: Sequence[str]
) -> None:
    """Checks that what was played before is of these deployments, in their order.

    Raises:
        ValueError: naming the file and what is wrong in it.
    """
    records = Fields(document, str(out)).subs("deployments")
    if len(records) > len(sites):
        raise ValueError(f"{out} holds {len(records)} deployments of {len(sites)}.")
    for site, record in zip(sites, records, strict=False):
        rewards = record.sub("rewards")
        for name in names:
            rewards.real(name)
        if record.text("fingerprint") != site.fingerprint or record.integer("index") != site.index:
            raise ValueError(f"{out} holds another deployment in the place of {site.name}.")


def _code_identity(policy: str) -> dict[str, Any]:
    """What tells a policy of somebody's own, `module:Class`, from an edited one of its name."""
    if ":" not in policy:
        return {}
    source = inspect.getsourcefile(load(policy, "--policies"))
    content = b"" if source is None else read_regular(Path(source))
    return {"source_sha256": hashlib.sha256(content).hexdigest()}


def printed_scores(scores: FamilyScores) -> str:
    """A Markdown table, and what its scores are counted from."""
    rule, expert = scores.anchors.best_local_rule, scores.anchors.family.expert
    lines = [
        "| method | knows | reward [95 %] | score over the best local rule [95 %] | "
        "score over random [95 %] |",
        "|---|---|---|---|---|",
    ]
    for row in scores.rows:
        marks = {rule: " (best local rule)", expert: " (expert)"}
        cells = [row.method + marks.get(row.method, ""), row.information]
        for value, (low, high), form in (
            (row.reward, row.reward_interval, ".4g"),
            (row.over_rule, row.over_rule_interval, ".1f"),
            (row.over_random, row.over_random_interval, ".1f"),
        ):
            # One deployment says nothing of others.
            known = len(scores.sites) > 1 and np.isfinite((low, high)).all()
            interval = f"[{low:{form}}, {high:{form}}]" if known else "[-]"
            cells.append(f"{value:{form}} {interval}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
