"""The published learning agent: one small deep Q-network per base station, in NumPy.

J. Ge, Y.-C. Liang, J. Joung, S. Sun, "Deep Reinforcement Learning for Distributed Dynamic MISO
Downlink-Beamforming Coordination", IEEE Trans. Commun. 68(10), 2020. Every BS learns online from
its own observations and rewards. Train and score:

    python -m wirelessenvs.cbf.dqn --slots 100000 --out dqn.npz
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.policies import CBFPolicy
from wirelessenvs.cbf.simulator import CBFSimulator
from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import (
    Progress,
    add_config_options,
    check_targets,
    parse_overrides,
    run,
    whole_file,
)
from wirelessenvs.policy import Information, PolicySpec

__all__ = ["DQN", "DQNConfig", "DQNPolicy", "train"]

Layers = list[NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """Hyper-parameters of the published agent.

    Args:
        hidden: widths of the two ReLU layers.
        discount: of the next slot's value, 0..1.
        learning_rate: of RMSprop.
        smoothing: of RMSprop's mean square, 0..1.
        memory: transitions that an agent remembers.
        batch: transitions per update, one update per slot.
        first_epsilon: chance of a random action at the start.
        last_epsilon: below which it does not fall.
        epsilon_decay: share of epsilon lost per slot.
        target_interval: slots between copies to the target network.
    """

    hidden: tuple[int, int] = (64, 32)
    discount: float = 0.5
    learning_rate: float = 5e-4
    smoothing: float = 0.99
    memory: int = 500
    batch: int = 32
    first_epsilon: float = 0.6
    last_epsilon: float = 0.01
    epsilon_decay: float = 1e-4
    target_interval: int = 100

    def __post_init__(self) -> None:
        for index, width in enumerate(self.hidden):
            check_int(f"hidden[{index}]", width, 1)
        check_real("discount", self.discount, 0, 1)
        check_real("learning_rate", self.learning_rate, 0, 1, low_open=True)
        check_real("smoothing", self.smoothing, 0, 1)
        check_int("batch", self.batch, 1)
        check_int("memory", self.memory, self.batch)
        check_real("last_epsilon", self.last_epsilon, 0, 1)
        check_real("first_epsilon", self.first_epsilon, self.last_epsilon, 1)
        check_real("epsilon_decay", self.epsilon_decay, 0, 1)
        check_int("target_interval", self.target_interval, 1)


class DQN:
    """K independent Q-networks with their memories, stacked along the first axis.

    Args:
        num_agents: K.
        num_inputs: entries of an observation.
        num_actions: of the codebook.
        config: hyper-parameters.
        seed: of weights, exploration and sampling.
    """

    def __init__(
        self,
        num_agents: int,
        num_inputs: int,
        num_actions: int,
        config: DQNConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config = DQNConfig() if config is None else config
        self.num_actions = num_actions
        self._rng = np.random.default_rng(seed)
        self.layers: Layers = []
        widths = (num_inputs, *config.hidden, num_actions)
        for inputs, outputs in itertools.pairwise(widths):
            bound = 1 / np.sqrt(inputs)
            for shape in ((num_agents, inputs, outputs), (num_agents, 1, outputs)):
                self.layers.append(self._rng.uniform(-bound, bound, shape).astype(np.float32))
        self._target = [layer.copy() for layer in self.layers]
        self._squares = [np.zeros_like(layer) for layer in self.layers]
        memory = (num_agents, config.memory)
        self._seen = np.zeros((*memory, num_inputs), np.float32)
        self._next = np.zeros((*memory, num_inputs), np.float32)
        self._action = np.zeros(memory, np.int64)
        self._reward = np.zeros(memory, np.float32)
        self.slots = 0

    @property
    def epsilon(self) -> float:
        """Chance of a random action now."""
        config = self.config
        decayed = config.first_epsilon * (1 - config.epsilon_decay) ** self.slots
        return max(config.last_epsilon, decayed)

    def act(self, observations: NDArray[np.float32]) -> NDArray[np.int64]:
        """`(K,)` actions with exploration for observations `(K, D)`."""
        greedy = q_values(self.layers, observations[:, None])[:, 0].argmax(-1)
        explore = self._rng.random(len(greedy)) < self.epsilon
        return np.where(explore, self._rng.integers(self.num_actions, size=len(greedy)), greedy)

    def learn(
        self,
        observations: NDArray[np.float32],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        following: NDArray[np.float32],
    ) -> None:
        """Remembers one transition per agent and makes one update once a batch is known."""
        config, place = self.config, self.slots % self.config.memory
        self._seen[:, place], self._next[:, place] = observations, following
        self._action[:, place], self._reward[:, place] = actions, rewards
        self.slots += 1
        known = min(self.slots, config.memory)
        if known >= config.batch:
            agents = np.arange(len(actions))[:, None]
            self._update(agents, self._rng.integers(known, size=(len(actions), config.batch)))
        if self.slots % config.target_interval == 0:
            self._target = [layer.copy() for layer in self.layers]

    def _update(self, agents: NDArray[np.int64], chosen: NDArray[np.int64]) -> None:
        """One RMSprop step on the mean squared temporal-difference error."""
        config = self.config
        best = q_values(self._target, self._next[agents, chosen]).max(-1)
        goal = self._reward[agents, chosen] + np.float32(config.discount) * best
        inputs = [self._seen[agents, chosen]]
        for weight, bias in zip(self.layers[:-2:2], self.layers[1:-2:2], strict=True):
            inputs.append(np.maximum(inputs[-1] @ weight + bias, 0))
        values = inputs[-1] @ self.layers[-2] + self.layers[-1]
        rows = np.arange(config.batch)
        taken = self._action[agents, chosen]
        error = np.zeros_like(values)
        error[agents, rows, taken] = 2 / config.batch * (values[agents, rows, taken] - goal)
        for index in range(len(self.layers) - 2, -1, -2):
            layer_input = inputs[index // 2]
            gradients = layer_input.swapaxes(1, 2) @ error, error.sum(1, keepdims=True)
            if index:
                error = (error @ self.layers[index].swapaxes(1, 2)) * (layer_input > 0)
            for offset, gradient in enumerate(gradients):
                square = self._squares[index + offset]
                square *= np.float32(config.smoothing)
                square += np.float32(1 - config.smoothing) * gradient**2
                step = gradient / (np.sqrt(square) + np.float32(1e-8))
                self.layers[index + offset] -= np.float32(config.learning_rate) * step


def q_values(layers: Layers, observations: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(K, B, A)` action values of observations `(K, B, D)`."""
    hidden = observations
    for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        hidden = np.maximum(hidden @ weight + bias, 0)
    return hidden @ layers[-2] + layers[-1]


class DQNPolicy(CBFPolicy):
    """Trained Q-networks, playing greedily.

    Args:
        spec: static knowledge of the task; cells, observation and codebook as in training.
        num_envs: batch size B.
        seed: unused: the policy is deterministic.
        layers: weights of `DQN.layers`.
    """

    name: ClassVar[str] = "dqn"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(
        self,
        spec: PolicySpec,
        num_envs: int = 1,
        seed: int = 0,
        layers: Sequence[NDArray[np.float32]] = (),
    ) -> None:
        super().__init__(spec, num_envs, seed)
        if len(layers) < 2:
            raise ValueError("policy 'dqn' needs trained layers: see wirelessenvs.cbf.dqn.train.")
        found = layers[0].shape[:2], layers[-1].shape[2]
        wanted = (spec.num_agents, *spec.observation_space.shape), self.config.num_actions
        if found != wanted:
            raise ValueError(f"layers must fit agents, observation, actions {wanted}, got {found}.")
        self.layers = list(layers)

    def _act(self, observations: NDArray[np.float32], privileged: Any) -> NDArray[Any]:  # noqa: ARG002
        values = q_values(self.layers, observations.swapaxes(0, 1))
        return self.from_codewords(values.argmax(-1).T.astype(np.int64))


def train(
    config: CBFConfig,
    slots: int,
    seed: int = 0,
    dqn: DQNConfig | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[DQN, NDArray[np.float64]]:
    """Learns online in one network without end, as the source does.

    Args:
        config: of the task, with codebook actions; its episode length is not used.
        slots: to learn for.
        seed: of network and agents.
        dqn: hyper-parameters.
        progress: called with the number of slots done.

    Returns:
        The agents, and `(slots,)` the mean rate of every slot in bit/s/Hz per cell.
    """
    check_int("slots", slots, 1)
    if config.action != "codebook":
        raise ValueError(f"dqn needs action='codebook', got {config.action!r}.")
    simulator = CBFSimulator(config)
    agents = DQN(
        simulator.num_agents,
        simulator.observation_space.shape[0],
        config.num_actions,
        dqn,
        seed,
    )
    observations = simulator.reset(seed)
    rates = np.empty(slots)
    for slot in range(slots):
        actions = agents.act(observations[0])
        step = simulator.step(actions[None])
        agents.learn(observations[0], actions, step.rewards[0], step.observations[0])
        observations = step.observations
        rates[slot] = step.metrics["rate"].mean()
        if progress is not None:
            progress(slot + 1)
    return agents, rates


def _train(options: argparse.Namespace) -> None:
    check_targets(options.out)
    config = CBFConfig.from_preset(options.preset, **parse_overrides(options.overrides))
    progress = Progress("slots")
    report = progress.counter("cbf-v0 dqn", options.slots)
    agents, rates = train(config, options.slots, options.seed, progress=report)
    progress.close()
    tenth = max(1, options.slots // 10)
    for start in range(0, options.slots - tenth + 1, tenth):
        mean = rates[start : start + tenth].mean()
        print(f"slots {start:>7}..{start + tenth - 1:<7} {mean:.3f} bit/s/Hz per cell")
    if options.out:
        names = [f"{part}{i}" for i in range(len(agents.layers) // 2) for part in ("w", "b")]
        arrays: dict[str, Any] = dict(zip(names, agents.layers, strict=True))
        with whole_file(options.out) as partial, partial.open("wb") as file:
            np.savez(file, config=json.dumps(asdict(config)), **arrays)
        print(f"wrote {options.out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelessenvs.cbf.dqn", description="Train the published per-BS DQN."
    )
    parser.add_argument("--slots", type=int, default=100_000, help="slots to learn for")
    parser.add_argument("--seed", type=int, default=0, help="of network and agents")
    parser.add_argument("--out", type=Path, help="write the weights to this .npz file")
    add_config_options(parser)
    return run(_train, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
