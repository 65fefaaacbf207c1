"""Scores that Minari normalises returns with: what the random policy and the expert reach."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import Description
from wirelessenvs.checks import check_int
from wirelessenvs.families import FAMILIES
from wirelessenvs.rollout import run_policy
from wirelessenvs.seeds import EVALUATION_SEEDS
from wirelessenvs.tasks import TASKS, make_policy

__all__ = ["changed_fields", "recorded_policy", "reference_scores"]

#: Minari's name of a score, and the policy that reaches it.
_POLICIES: Final = {"ref_min_score": "random", "ref_max_score": "expert"}
_MOST_EPISODES: Final = 10_000


def changed_fields(description: Description) -> dict[str, Any]:
    """Fields of the configuration of one of this project's tasks that differ from its preset."""
    environment = description.environment
    preset = TASKS[description.task].config.from_preset(environment["preset"])
    plain = preset.to_json()
    return {key: value for key, value in environment["config"].items() if plain[key] != value}


def recorded_policy(description: Description, name: str) -> str:
    """The task's policy behind a name: of a deployment's data, "expert" is that of its family."""
    family = FAMILIES.get(description.environment.get("deployment", {}).get("family"))
    return family.expert if family is not None and name == "expert" else name


def reference_scores(dataset: TrajectoryDataset, episodes: int | None = None) -> dict[str, Any]:
    """Returns of an episode of the data's length, mean over agents, by Minari's names.

    Args:
        dataset: of one of this project's tasks; there is nothing known of others.
        episodes: to play with each policy in the data's environment, on the seeds of evaluation.
            By default the scores that are known of this configuration, if any.

    Raises:
        ValueError: if episodes are to be played of an environment of others.
    """
    description = dataset.description
    if episodes is not None:
        check_int("--reference-episodes", episodes, 1, _MOST_EPISODES)
        if description.task not in TASKS:
            raise ValueError(
                f"--reference-episodes needs an expert, which {description.task} lacks."
            )
        played = {
            key: _played(dataset, recorded_policy(description, name), episodes)
            for key, name in _POLICIES.items()
        }
        return {**played, "num_episodes_average_score": episodes}
    if description.task not in TASKS or "deployment" in description.environment:
        return {}
    changed = changed_fields(description)
    changed.pop("max_steps", None)
    known = {
        score.policy: score.value * description.steps
        for score in TASKS[description.task].reference
        if score.metric == "reward"
        and score.preset == description.environment["preset"]
        and json.loads(json.dumps(dict(score.overrides))) == changed
    }
    return {key: known[name] for key, name in _POLICIES.items() if name in known}


def _played(dataset: TrajectoryDataset, name: str, episodes: int) -> float:
    simulator = dataset.make_simulator(episodes)
    seeds = [EVALUATION_SEEDS.start + e for e in range(episodes)]
    means = run_policy(simulator, make_policy(name, simulator), dataset.num_steps, seeds)
    return float(np.mean(means["reward"])) * dataset.num_steps
