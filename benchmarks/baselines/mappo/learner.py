"""MAPPO and IPPO: play, estimate advantages, improve, and again."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.advantages import generalised_advantages
from benchmarks.baselines.mappo.config import MappoConfig
from benchmarks.baselines.mappo.policy import MappoPolicy
from benchmarks.baselines.mappo.ppo import Experience, TeamPPO
from benchmarks.baselines.online.collector import Collector, Rollout
from benchmarks.baselines.online.online_training import OnlineLearner
from benchmarks.baselines.online.running_scaling import RunningScaling
from benchmarks.baselines.online.team_env import TeamEnv
from benchmarks.baselines.shared.policy import PolicySpec
from benchmarks.baselines.shared.training_loop import Counters
from networld_agent.device import pick_device

__all__ = ["MappoLearner"]


class MappoLearner(OnlineLearner):
    """One actor for all agents, one critic, both learnt from the newest steps alone.

    Args:
        env: `config.num_envs` team environments.
        config: of the method.
    """

    def __init__(self, env: TeamEnv, config: MappoConfig) -> None:
        self.config, self.env = config, env
        self.env_steps = 0
        self._device = pick_device(config.device)
        self._collector = Collector(env, config.seed)
        torch.manual_seed(config.seed)
        seen = env.observation_size if config.independent else env.state_size
        self.ppo = self.make_ppo(seen)
        self.scaling, self.critic_scaling = (
            RunningScaling(env.observation_size),
            RunningScaling(seen),
        )
        self.module = nn.ModuleDict(
            {"ppo": self.ppo, "scaling": self.scaling, "critic_scaling": self.critic_scaling}
        )
        self.module.to(self._device)
        self.optimizers = self.ppo.make_optimizers()

    def make_ppo(self, seen: int) -> TeamPPO:
        """Networks with random weights, for a critic that is shown so many entries."""
        actor = TeamActor.of(self.env.observation_size, self.env.codec, self.config)
        return TeamPPO(actor, seen, self.config)

    def start(self, at: Counters, memory: Mapping[str, Tensor] | None) -> None:
        """Starts the environments, or goes to where they were."""
        self.env_steps = at.step
        self._collector.start(memory)

    def round(self) -> dict[str, float]:
        """A rollout and a policy update."""
        rollout = self._collector.collect(self._act, self.config.rollout).to(self._device)
        self.env_steps += rollout.rewards.numel()
        values = self.ppo.update(self._experience(rollout))
        # After the update: ratios compare actions on observations scaled as when they were drawn.
        self.scaling.update(rollout.observations)
        self.critic_scaling.update(self._shown(rollout.observations, rollout.states))
        return {"reward": float(rollout.rewards.mean())} | {k: float(v) for k, v in values.items()}

    def policy(self) -> MappoPolicy:
        """The actor, with the scaling as it is now."""
        env = self.env
        spec = PolicySpec(env.task, env.observation_size, env.action, self.config)
        return MappoPolicy(spec).fill(self.ppo.actor, self.scaling.as_fixed())

    def memory(self) -> dict[str, Tensor]:
        """Position of the environments."""
        return self._collector.memory()

    @torch.no_grad()
    def _act(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.scaling(observations.to(self._device))
        actions, log_probs = self.ppo.actor.sample(inputs)
        return actions.cpu(), log_probs.cpu()

    def _shown(self, observations: Tensor, states: Tensor) -> Tensor:
        """`(T, B, v, c)` that the critic sees: v is 1 for the state, n for observations."""
        return observations if self.config.independent else states[..., None, :]

    def _experience(self, rollout: Rollout) -> Experience:
        shown = self.critic_scaling(self._shown(rollout.observations, rollout.states))
        following = self.critic_scaling(self._shown(rollout.next_observations, rollout.next_states))
        columns = (rollout.rewards, rollout.terminated, rollout.truncated)
        values = self.ppo.values(shown)
        rewards, terminated, truncated = (c[..., None].expand_as(values) for c in columns)
        advantages, returns = generalised_advantages(
            rewards, values, self.ppo.values(following), terminated, truncated,
            self.config.gamma, self.config.trace,
        )  # fmt: skip
        tensors = (
            self.scaling(rollout.observations),
            rollout.actions,
            rollout.log_probs,
            shown,
            advantages,
            returns,
        )
        return Experience(*(tensor.flatten(0, 1) for tensor in tensors))
