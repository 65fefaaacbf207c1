"""The whole world model: normalisation, next state, reward and termination, observations.

Example:
    >>> model = WorldModel(WorldSpec("rb-v0", 8, 40, 4, num_choices=11), DimaConfig())
    >>> model.batches()["denoiser"]
    BatchShape(rows=64, steps=5)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.config import BatchShape, DimaConfig
from benchmarks.baselines.dima.denoiser import Denoiser
from benchmarks.baselines.dima.denoiser_network import Matrices
from benchmarks.baselines.dima.edm import SIGMA_DATA
from benchmarks.baselines.dima.files import FORM, read_world_model, save_world_model
from benchmarks.baselines.dima.reward_model import RewardModel
from benchmarks.baselines.dima.sequences import Context, Sequences, WorldSpec
from benchmarks.baselines.dima.state_decoder import StateDecoder
from benchmarks.baselines.dima.state_normaliser import StateNormaliser
from benchmarks.baselines.shared.causal_transformer import KeyValueCache
from benchmarks.baselines.shared.gradients import clip_gradients
from networld_agent.storage import load_weights
from wirelessenvs.checks import check_names

__all__ = ["ImaginedStep", "WorldModel"]


class ImaginedStep(NamedTuple):
    """The result of one imagined step: ordinary tensors without gradients.

    Args:
        state: `(B, S)` in the environment's units.
        observations: `(B, n, O)` in the environment's units.
        reward: `(B,)` in the environment's units.
        termination: `(B,)` probability that the state ends the episode for good.
    """

    state: Tensor
    observations: Tensor
    reward: Tensor
    termination: Tensor


@dataclass
class _Episode:
    """B imagined episodes that are under way; states are scaled."""

    states: Tensor
    actions: Tensor
    valid: Tensor
    matrices: Matrices
    rewards: KeyValueCache

    def advance(self, state: Tensor) -> None:
        """The state becomes the present one."""
        self.states = torch.cat([self.states[:, 1:], state[:, None]], 1)
        # The last entry waits for the next step's actions.
        self.actions = torch.cat([self.actions[:, 1:], self.actions[:, -1:]], 1)
        self.valid = torch.cat([self.valid[:, 1:], torch.ones_like(self.valid[:, :1])], 1)


class WorldModel(nn.Module):
    """A learned environment.

    Random numbers are torch's global ones: seed these before each call for runs that can be
    repeated or resumed (`torch.manual_seed`, as `benchmarks.baselines.shared.training_loop` does).

    Args:
        spec: of the environment.
        config: sizes and choices.
    """

    #: Names of all parts; of those that learn, each has its own optimiser.
    PARTS = ("denoiser", "reward", "state")

    updates: Tensor

    def __init__(self, spec: WorldSpec, config: DimaConfig) -> None:
        super().__init__()
        self.spec, self.config = spec, config
        self.states = StateNormaliser(spec.state_size, config.limit)
        self.observations = StateNormaliser(spec.num_agents * spec.observation_size, config.limit)
        self.rewards = StateNormaliser(1, config.limit)
        self.denoiser = Denoiser(spec, config.denoiser)
        self.reward = RewardModel(spec, config.reward)
        # Nothing to learn where the state holds all observations, and no code to lose them in.
        read = config.state.read and spec.observed
        self.state = None if read else StateDecoder(spec, config.state)
        learnt = [name for name in self.PARTS if getattr(self, name) is not None]
        self.optimizers = {name: self._optimizer(name) for name in learnt}
        self.register_buffer("updates", torch.zeros(len(self.PARTS), dtype=torch.int64))
        self._episode: _Episode | None = None

    def _optimizer(self, part: str) -> torch.optim.Optimizer:
        options: Any = getattr(self.config, part)
        decay = getattr(options, "weight_decay", 0.01)
        parameters = getattr(self, part).parameters()
        return torch.optim.AdamW(parameters, options.learning_rate, weight_decay=decay, fused=True)

    # ---------------------------------------------------------------- training
    def batches(self) -> dict[str, BatchShape]:
        """Rows B and steps L of the `Sequences` that an update of each part takes.

        Pieces for "denoiser" should end at every step of an episode alike: a piece that would
        begin before the episode does is padded on the left. Pieces for "reward" may be padded on
        either side.
        """
        return {name: shape for name, shape in self.config.batches().items() if name in self.parts}

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of `PARTS` that learn."""
        return tuple(self.optimizers)

    def observe(self, states: Tensor, observations: Tensor, rewards: Tensor) -> None:
        """Takes real steps into the running statistics; each step is to be given once.

        Args:
            states: `(..., S)`.
            observations: `(..., n, O)`.
            rewards: `(...)`.

        Raises:
            ValueError: if a number is not finite.
        """
        self.states.update(states)
        self.observations.update(observations.flatten(-2))
        self.rewards.update(rewards[..., None])

    def update(self, batches: Mapping[str, Sequences]) -> dict[str, Tensor]:
        """One optimiser step of every part that has a batch.

        Args:
            batches: by part's name, any of `PARTS`; of shapes as in `batches()`.

        Returns:
            Scalars for a log: "denoiser_loss", "reward_loss", "termination_loss", "state_loss",
            and each part's gradient norm before clipping, "denoiser_gradient", ...

        Raises:
            ValueError: for an unknown part or a batch of other shapes than the environment's.
        """
        check_names("part", batches, self.parts)
        values: dict[str, Tensor] = {}
        for number, (part, batch) in enumerate((p, batches.get(p)) for p in self.PARTS):
            if batch is None:
                continue
            batch.check(self.spec)
            getattr(self, part).train()
            losses = getattr(self, f"_{part}_losses")(batch)
            values |= losses
            values[f"{part}_gradient"] = self._descend(part, number, sum(losses.values()))
        # What was prepared for imagination is of the weights before.
        self._episode = None
        return {name: value.detach() for name, value in values.items()}

    def _descend(self, part: str, number: int, loss: Any) -> Tensor:
        options: Any = getattr(self.config, part)
        optimizer = self.optimizers[part]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        gradient = clip_gradients(getattr(self, part).parameters(), options.clip)
        self.updates[number] += 1
        warm_up = getattr(options, "warm_up", 0)
        if warm_up:
            share = min(1.0, int(self.updates[number]) / warm_up)
            optimizer.param_groups[0]["lr"] = share * options.learning_rate
        optimizer.step()
        return gradient

    def _denoiser_losses(self, batch: Sequences) -> dict[str, Tensor]:
        shortest = self.config.denoiser.context
        if batch.num_steps < shortest:
            raise ValueError(
                f"pieces for the denoiser must have at least {shortest} steps, "
                f"got {batch.num_steps}."
            )
        states = self.scaled_states(batch.states)
        return {"denoiser_loss": self.denoiser.loss(states, batch.actions, batch.valid)}

    def _reward_losses(self, batch: Sequences) -> dict[str, Tensor]:
        reward, termination = self.reward.loss(
            self.scaled_states(batch.states[:, :-1]),
            batch.actions,
            self.rewards(batch.rewards[..., None])[..., 0],
            batch.terminated,
            batch.valid,
        )
        return {"reward_loss": reward, "termination_loss": termination}

    def _state_losses(self, batch: Sequences) -> dict[str, Tensor]:
        assert self.state is not None
        states = self.scaled_states(batch.states[:, 0])
        seen = self.observations(batch.observations[:, 0].flatten(1))
        shape = batch.observations[:, 0].shape
        return {"state_loss": self.state.loss(states, seen.view(shape), batch.valid[:, 0])}

    # -------------------------------------------------------------- imagination
    def begin(self, context: Context) -> None:
        """Starts B imagined episodes after real steps.

        Dropout is off from here to the next update.

        Raises:
            ValueError: if the context has other shapes than the environment's.
        """
        context.check(self.spec, self.config.denoiser.context)
        self.eval()
        with torch.inference_mode():
            present = torch.zeros_like(context.actions[:, :1])
            self._episode = _Episode(
                self.scaled_states(context.states),
                torch.cat([context.actions, present], 1),
                context.valid.clone(),
                self.denoiser.network.matrices(),
                self.reward.begin(len(context.states)),
            )

    def step(self, actions: Tensor) -> ImaginedStep:
        """Goes on by one step in all imagined episodes.

        Args:
            actions: `(B, n, A)` in [-1, 1], or `(B, n)` integers from 0.

        Raises:
            RuntimeError: before `begin`, or after an update since then.
            ValueError: for actions of other shapes than the environment's.
        """
        episode = self._episode
        if episode is None:
            raise RuntimeError("step was called before begin, or an update came between.")
        if actions.shape != (wanted := episode.actions[:, -1].shape):
            raise ValueError(
                f"actions must have shape {tuple(wanted)}, got {tuple(actions.shape)}."
            )
        with torch.inference_mode():
            episode.actions[:, -1] = actions
            reward, termination = self.reward.extend(
                episode.states[:, -1], episode.actions[:, -1], episode.rewards
            )
            state = self.denoiser.sample(
                episode.states, episode.actions, episode.valid, matrices=episode.matrices
            )
            reach = SIGMA_DATA * self.config.limit
            episode.advance(state.clamp_(-reach, reach))
            found = (
                self.states.inverse(state / SIGMA_DATA),
                self._observations_of(state),
                self.rewards.inverse(reward[:, None])[:, 0],
                termination,
            )
        # Clones made here can take part in a policy's gradients; inference tensors cannot.
        return ImaginedStep(*(tensor.clone() for tensor in found))

    @torch.no_grad()
    def reward_of(self, states: Tensor, actions: Tensor) -> Tensor:
        """Expected reward `(B,)` of the first imagined step.

        Args:
            states: `(B, S)` in the environment's units.
            actions: `(B, n, A)` in [-1, 1], or `(B, n)` integers from 0.
        """
        self.eval()
        memory = self.reward.begin(len(states))
        reward, _ = self.reward.extend(self.scaled_states(states), actions, memory)
        return self.rewards.inverse(reward[:, None])[:, 0]

    def scaled_states(self, states: Tensor) -> Tensor:
        """0.5 s_n `(..., S)` of states in the environment's units, as the networks see them."""
        scaled: Tensor = SIGMA_DATA * self.states(states)
        return scaled

    def decode(self, states: Tensor) -> Tensor:
        """Observations `(..., n, O)` of states `(..., S)`, both in the environment's units."""
        scaled = self.scaled_states(states).flatten(0, -2)
        with torch.no_grad():
            return self._observations_of(scaled).unflatten(0, states.shape[:-1])

    def _observations_of(self, scaled: Tensor) -> Tensor:
        if self.state is None:
            shape = (self.spec.num_agents, self.spec.observation_size)
            held = self.states.inverse(scaled / SIGMA_DATA)[..., : shape[0] * shape[1]]
            return held.unflatten(-1, shape)
        seen: Tensor = self.state(scaled)
        return self.observations.inverse(seen.flatten(1)).view(seen.shape)

    # -------------------------------------------------------------------- files
    def save(self, folder: Path) -> Path:
        """Writes weights and statistics, whole or not at all; returns the folder."""
        return save_world_model(self.state_dict(), self.spec, self.config, folder)

    @classmethod
    def load(
        cls, folder: Path, spec: WorldSpec | None = None, device: torch.device | str = "cpu"
    ) -> Self:
        """Reads what `save` wrote; it can imagine, and be trained anew.

        Raises:
            ModelError: naming the file and its fault, or if the model is of another environment
                than `spec`.
        """
        found, config, document = read_world_model(folder, spec)
        model = load_weights(FORM, folder, document, lambda: cls(found, config), lambda made: made)
        return model.to(device)

    @property
    def device(self) -> torch.device:
        """The device of the weights, on which batches and contexts must be."""
        return self.updates.device
