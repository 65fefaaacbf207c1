"""DIMA's online loop: play, train the model on all that was seen, improve the policy in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.imagination import critic_size, imagine, improve
from benchmarks.baselines.dima.policy_config import OnlineConfig
from benchmarks.baselines.dima.replay import Replay
from benchmarks.baselines.dima.sequences import WorldSpec
from benchmarks.baselines.dima.world_model import WorldModel
from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.policy import TeamPolicy
from benchmarks.baselines.mappo.ppo import TeamPPO
from benchmarks.baselines.online.collector import Collector, Rollout
from benchmarks.baselines.online.online_training import OnlineLearner
from benchmarks.baselines.online.running_scaling import RunningScaling
from benchmarks.baselines.online.team_env import TeamEnv
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.policy import PolicySpec
from benchmarks.baselines.shared.training_loop import Counters, batch_generator
from networld_agent.device import pick_device
from networld_agent.errors import ModelError

__all__ = ["DimaLearner", "OnlineDimaPolicy", "world_spec"]


class OnlineDimaPolicy(TeamPolicy):
    """The actor that was trained in imagination; it sees an agent's own observation."""

    name = "dima-online"
    config_type: ClassVar[type[BaselineConfig]] = OnlineConfig


def world_spec(env: TeamEnv) -> WorldSpec:
    """An environment as the world model needs to know it."""
    codec = env.codec
    return WorldSpec(
        env.task, env.num_agents, env.state_size, env.observation_size, codec.size,
        codec.num_choices, env.observed,
    )  # fmt: skip


class DimaLearner(OnlineLearner):
    """A round is `train_every` environment steps and an epoch of training.

    Args:
        env: `config.num_envs` team environments.
        config: of the method.
        folder: of the run; the replay memory keeps its files there.
    """

    def __init__(self, env: TeamEnv, config: OnlineConfig, folder: Path) -> None:
        self.env, self.config, self._folder = env, config, folder / "replay"
        self.env_steps = 0
        self._device = pick_device(config.device)
        self._collector = Collector(env, config.seed)
        self._replay = Replay(env, config.newest, config.favour)
        torch.manual_seed(config.seed)
        self.model = WorldModel(world_spec(env), config.model).to(self._device)
        actor = TeamActor.of(env.observation_size, env.codec, config)
        self.ppo = TeamPPO(actor, critic_size(self.model, config), config)
        self.ppo.to(self._device)
        self.scaling = RunningScaling(env.observation_size).to(self._device)
        self.module = nn.ModuleDict({"model": self.model, "ppo": self.ppo, "scaling": self.scaling})
        self.optimizers = (*self.model.optimizers.values(), *self.ppo.make_optimizers())

    def start(self, at: Counters, memory: Mapping[str, Tensor] | None) -> None:
        """Starts the environments, or goes to where they were and remembers what was seen."""
        self.env_steps = at.step
        if memory is not None:
            if "replay_sha256" not in memory:
                raise ModelError(
                    f"{self._folder.parent}: the run was begun by a version before 0.2, which "
                    "wrote no checksums of its replay memory: delete it to start anew."
                )
            self._replay.load(self._folder, memory["replay_sha256"])
        self._collector.start(memory)

    def round(self) -> dict[str, float]:
        """Plays, then trains model and policy; before `prefill` is reached, plays at random."""
        trained = self.env_steps >= self.config.prefill
        steps = self.config.train_every
        if not trained:
            steps = math.ceil(self.config.prefill / self.config.num_envs) * self.config.num_envs
        act = self._act if trained else self._act_at_random
        rollout = self._collector.collect(act, steps // self.config.num_envs)
        self._take_in(rollout)
        values = {"reward": float(rollout.rewards.mean()), **self._train_model()}
        values |= self._train_policy()
        # Updates of each part of the model and of the policy, per environment step so far.
        epochs = 1 + (self.env_steps - self.config.prefill) / self.config.train_every
        values["model_updates_per_step"] = epochs * self.config.model_updates / self.env_steps
        values["policy_updates_per_step"] = epochs * self.config.policy_updates / self.env_steps
        return values

    def policy(self) -> OnlineDimaPolicy:
        """The actor, with the scaling as it is now."""
        env = self.env
        spec = PolicySpec(env.task, env.observation_size, env.action, self.config)
        return OnlineDimaPolicy(spec).fill(self.ppo.actor, self.scaling.as_fixed())

    def save_models(self, folder: Path) -> None:
        """The world model to `folder/model`, which `diagnose --model` reads."""
        self.model.save(folder / "model")

    def memory(self) -> dict[str, Tensor]:
        """Position of the environments; past steps go to files of their own."""
        digests = self._replay.save(self._folder)
        return {"replay_sha256": digests, **self._collector.memory()}

    # ------------------------------------------------------------------ playing
    @torch.no_grad()
    def _act(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.scaling(observations.to(self._device))
        actions, log_probs = self.ppo.actor.sample(inputs)
        return actions.cpu(), log_probs.cpu()

    def _act_at_random(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        shape, codec = observations.shape[:2], self.env.codec
        if codec.discrete:
            return torch.randint(codec.num_choices, shape), torch.zeros(shape)
        return 2 * torch.rand(*shape, codec.size) - 1, torch.zeros(shape)

    def _take_in(self, rollout: Rollout) -> None:
        self.env_steps += rollout.rewards.numel()
        self._replay.add(rollout)
        self.scaling.update(rollout.observations.to(self._device))
        seen = (rollout.states, rollout.observations, rollout.rewards)
        self.model.observe(*(tensor.to(self._device) for tensor in seen))

    # ----------------------------------------------------------------- training
    def _train_model(self) -> dict[str, float]:
        rng = batch_generator(self.config.seed, self.env_steps)
        shapes = self.model.batches()
        sums: dict[str, Tensor] = {}
        for _ in range(self.config.model_updates):
            batches = {
                part: self._replay.batch(part, shape, rng).to(self._device)
                for part, shape in shapes.items()
            }
            _add(sums, self.model.update(batches))
        return _means(sums, self.config.model_updates)

    def _train_policy(self) -> dict[str, float]:
        rng = batch_generator(self.config.seed + 1, self.env_steps)
        size = self.config.model.denoiser.context
        sums: dict[str, Tensor] = {}
        for _ in range(self.config.policy_updates):
            start = self._replay.starts(self.config.starts, size, rng).to(self._device)
            imagined = imagine(self.model, self.ppo, self.scaling, start, self.config.horizon)
            _add(sums, improve(self.ppo, imagined))
        return _means(sums, self.config.policy_updates)


def _add(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        sums[name] = sums[name] + value if name in sums else value


def _means(sums: Mapping[str, Tensor], count: int) -> dict[str, float]:
    return {name: float(total) / count for name, total in sums.items()}
