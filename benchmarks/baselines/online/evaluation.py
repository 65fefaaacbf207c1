"""Scores of trained policies on episodes that training has not seen; the same for every method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines import load_policy
from benchmarks.baselines.online.teams import is_wireless, make_team
from benchmarks.baselines.shared.policy import BaselinePolicy
from networld_agent.evaluation.episodes import play, whole_batch
from networld_agent.evaluation.players import Player, PolicyPlayer, check_fit
from networld_agent.evaluation.scores import bootstrap_interval, normalised, normalised_interval
from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, group_seeds
from networld_agent.worlds.make import make_worlds
from wirelessenvs.checks import check_int

__all__ = [
    "Evaluation",
    "Setting",
    "play_references",
    "score_player",
    "score_policy",
    "snapshot_curve",
]

_BATCH = 20


@dataclass(frozen=True)
class Setting:
    """An environment, as `make_team` takes it.

    Args:
        env: name.
        preset: named configuration of a wireless task.
        overrides: of the configuration, or arguments of a factory; None for none.
    """

    env: str
    preset: str | None = None
    overrides: dict[str, Any] | None = None


@dataclass(frozen=True)
class Evaluation:
    """How policies are scored.

    Args:
        episodes: that each one plays.
        steps: counted per episode of a wireless task; other environments end by themselves.
        warm_up: random joint actions before them, the same for every policy.
        validation: play the seeds that choices are made on, not those that scores are reported on.
    """

    episodes: int = 20
    steps: int = 300
    warm_up: int = 5
    validation: bool = False

    def __post_init__(self) -> None:
        check_int("--episodes", self.episodes, 1)
        check_int("--eval-steps", self.steps, 1)
        check_int("--warm-up", self.warm_up, 0)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the episodes."""
        return group_seeds(
            VALIDATION_SEEDS if self.validation else TEST_SEEDS, None, 1, self.episodes
        )


def score_policy(
    policy: BaselinePolicy,
    setting: Setting,
    evaluation: Evaluation,
    references: dict[str, list[float]] | None = None,
) -> dict[str, Any]:
    """Plays a policy; its best actions, no noise.

    Args:
        policy: to score.
        setting: where it plays.
        evaluation: how.
        references: of `play_references`; played anew by default.

    Returns:
        JSON values. Of a wireless task: "rewards" per step of each episode, their mean "reward",
        "references" of the random and the expert policy, "score" (0 is random, 100 is expert) and
        its 95 % "interval" over the worlds. Of others: "returns" of the episodes, their mean
        "return", its "interval", and "references" of random actions.

    Raises:
        ValueError: if the policy was made for another environment.
    """
    score = score_player if is_wireless(setting.env) else _score_team
    return score(policy, setting, evaluation, references)


def score_player(
    player: Player,
    setting: Setting,
    evaluation: Evaluation,
    references: dict[str, list[float]] | None = None,
) -> dict[str, Any]:
    """What `score_policy` returns of a wireless task, of any player."""
    rewards = _played(player, setting, evaluation)
    references = references or play_references(setting, evaluation)
    random, expert = (np.array(references[name]) for name in ("random", "expert"))
    return {
        "reward": float(rewards.mean()),
        "score": normalised(float(rewards.mean()), float(random.mean()), float(expert.mean())),
        "interval": list(normalised_interval(rewards, random, expert)),
        "rewards": rewards.tolist(),
        "references": references,
    }


def play_references(setting: Setting, evaluation: Evaluation) -> dict[str, list[float]]:
    """Rewards of random and expert policy in a wireless task, returns of random actions in others.

    One number per episode, by the policy's name.
    """
    if is_wireless(setting.env):
        return {name: _played(name, setting, evaluation).tolist() for name in ("random", "expert")}
    return {"random": _returns(None, setting, evaluation).tolist()}


def snapshot_curve(
    run: Path, setting: Setting, evaluation: Evaluation
) -> list[dict[str, float | int]]:
    """Mean reward or return of every snapshot of a run, by the steps trained until then."""
    folders = [entry for entry in (run / "snapshots").glob("*") if entry.name.isdecimal()]
    points: list[dict[str, float | int]] = []
    for folder in sorted(folders, key=lambda entry: int(entry.name)):
        policy = load_policy(folder)
        if is_wireless(setting.env):
            value = float(_played(policy, setting, evaluation).mean())
        else:
            value = float(_returns(policy, setting, evaluation).mean())
        points.append({"step": int(folder.name), "value": value})
    return points


# --------------------------------------------------------------------------- wireless tasks
def _played(player: Player | str, setting: Setting, evaluation: Evaluation) -> NDArray[np.float64]:
    """Mean reward of each episode, of a policy or of one shipped with the task."""
    seeds = evaluation.seeds
    # Episodes are as long as the evaluation says, whatever they were in training.
    overrides = {k: v for k, v in (setting.overrides or {}).items() if k != "max_steps"}
    worlds = make_worlds(
        setting.env,
        whole_batch(len(seeds), _BATCH),
        evaluation.steps + evaluation.warm_up,
        setting.preset,
        overrides,
    )
    if isinstance(player, BaselinePolicy):
        check_fit(player, worlds)
    chosen = PolicyPlayer(worlds, player) if isinstance(player, str) else player
    return play(worlds, chosen, seeds, evaluation.steps, evaluation.warm_up).rewards


# ------------------------------------------------------------------------- other environments
def _score_team(
    policy: BaselinePolicy,
    setting: Setting,
    evaluation: Evaluation,
    references: dict[str, list[float]] | None,
) -> dict[str, Any]:
    returns = _returns(policy, setting, evaluation)
    references = references or play_references(setting, evaluation)
    return {
        "return": float(returns.mean()),
        "interval": list(bootstrap_interval(returns)),
        "returns": returns.tolist(),
        "references": references,
    }


def _returns(
    policy: BaselinePolicy | None, setting: Setting, evaluation: Evaluation
) -> NDArray[np.float64]:
    """Sum of the team's rewards over the first episode of each environment; None acts at random."""
    team = make_team(setting.env, evaluation.episodes, setting.preset, setting.overrides)
    if policy is not None and (policy.spec.observation_size, policy.spec.action) != (
        team.observation_size,
        team.action,
    ):
        raise ValueError(f"the policy {policy.name} was not trained for {setting.env}.")
    generator = torch.Generator().manual_seed(evaluation.seeds[0])
    observations, _ = team.reset(evaluation.seeds[0])
    returns, running = np.zeros(team.batch), np.ones(team.batch, np.bool_)
    shape = (team.batch, team.num_agents)
    while running.any():
        if policy is not None:
            actions = policy.codec.encode(policy.act_on(observations))
        elif team.codec.discrete:
            actions = torch.randint(team.codec.num_choices, shape, generator=generator)
        else:
            actions = 2 * torch.rand((*shape, team.codec.size), generator=generator) - 1
        step = team.step(actions.numpy())
        returns += np.where(running, step.reward, 0.0)
        running &= ~(step.terminated | step.truncated)
        observations = step.observations
    return returns
