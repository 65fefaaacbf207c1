"""HAPPO: every agent has an actor of its own, and they improve one after the other.

J. G. Kuba et al., Trust Region Policy Optimisation in Multi-Agent Reinforcement Learning,
ICLR 2022, arXiv 2109.11251.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.learner import MappoLearner
from benchmarks.baselines.mappo.policy import MappoPolicy
from benchmarks.baselines.mappo.ppo import Experience, TeamPPO, Values, means
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.policy import PolicySpec

__all__ = ["HappoConfig", "HappoLearner", "HappoPPO", "HappoPolicy", "SeparateActors"]


@dataclass(frozen=True)
class HappoConfig(MappoConfig):
    """Those of MAPPO; the critic is the team's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.independent:
            raise ValueError("independent must be False: HAPPO's advantages are the team's.")

    @property
    def method(self) -> str:
        """Name of the method."""
        return "happo"


class SeparateActors(nn.ModuleList):
    """Actors that share no weights, one per agent, with the interface of one for all.

    Args:
        actors: in the order of the agents.
    """

    def __init__(self, actors: Iterable[TeamActor]) -> None:
        super().__init__(actors)

    def sample(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Actions `(B, n[, A])` for inputs `(B, n, k)`, and their log-densities `(B, n)`."""
        found = [actor.sample(inputs[:, agent]) for agent, actor in self._each()]
        actions, log_probs = zip(*found, strict=True)
        return torch.stack(actions, 1), torch.stack(log_probs, 1)

    def best(self, inputs: Tensor) -> Tensor:
        """The most probable choices `(B, n)`, or the means `(B, n, A)`.

        Raises:
            ValueError: for another number of agents than there are actors.
        """
        if inputs.shape[1] != len(self):
            raise ValueError(
                f"the policy happo has actors of {len(self)} agents, got {inputs.shape[1]} agents."
            )
        return torch.stack([actor.best(inputs[:, agent]) for agent, actor in self._each()], 1)

    def _each(self) -> Iterable[tuple[int, TeamActor]]:
        return ((agent, actor) for agent, actor in enumerate(self.children()))  # type: ignore[misc]


class HappoPPO(TeamPPO):
    """One agent's passes after the other's, in an order that is drawn anew for every update.

    An agent's advantages are weighted by how much more probable the actions of those before it
    have become, the product of their ratios.
    """

    actor: SeparateActors

    def update(self, experience: Experience) -> Values:
        """One policy update of all agents; scalars for the log."""
        experience = self.prepared(experience)
        factor = torch.ones_like(experience.advantages)
        found: list[Values] = []
        # With one agent no number is drawn here: the update is MAPPO's, to the bit.
        for agent in torch.randperm(len(self.actor)).tolist():
            actor = self.actor[agent]
            own = dataclasses.replace(
                experience,
                inputs=experience.inputs[:, agent : agent + 1],
                actions=experience.actions[:, agent : agent + 1],
                log_probs=experience.log_probs[:, agent : agent + 1],
                advantages=experience.advantages * factor,
            )
            # The critic is no agent's: it learns once, beside the first.
            found.append(self.passes(own, actor, critic=not found))
            with torch.no_grad():
                log_probs, _ = actor.evaluate(own.inputs, own.actions)
                factor = factor * torch.exp(log_probs - own.log_probs)
        return means(found)


class HappoPolicy(MappoPolicy):
    """A policy trained by HAPPO; its extra says for how many agents."""

    name = "happo"
    config_type: ClassVar[type[BaselineConfig]] = HappoConfig
    network: SeparateActors  # type: ignore[assignment]

    def make_network(self) -> SeparateActors:  # type: ignore[override]
        """One actor per agent."""
        make = super().make_network
        return SeparateActors(make() for _ in range(self.spec.extra["agents"]))


class HappoLearner(MappoLearner):
    """As MAPPO's, with an actor per agent."""

    def make_ppo(self, seen: int) -> HappoPPO:
        """Networks with random weights, for a critic that is shown so many entries."""
        env, config = self.env, self.config
        actors = (
            TeamActor.of(env.observation_size, env.codec, config) for _ in range(env.num_agents)
        )
        return HappoPPO(SeparateActors(actors), seen, config)

    def policy(self) -> HappoPolicy:
        """The actors, with the scaling as it is now."""
        spec = PolicySpec(
            self.env.task, self.env.observation_size, self.env.action, self.config,
            {"agents": self.env.num_agents},
        )  # fmt: skip
        return HappoPolicy(spec).fill(self.ppo.actor, self.scaling.as_fixed())
