"""The decision transformer of d3rlpy (T. Seno and M. Imai, JMLR 2022), with options set to ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.dt.method import DTConfig
from benchmarks.validation.control_data import CONTROL_TASKS, ControlData
from benchmarks.validation.d3rlpy_values import peer_data

__all__ = ["PeerDTPlayer", "train_peer_dt"]

#: Longest episode of the control tasks: its positions are a table.
_MOST_STEPS = 500
#: It ends its learning rate's fall after so many tokens: never, as ours stays.
_NEVER = 10**15


class PeerDTPlayer:
    """Plays it in episodes side by side, each in a wrapper of its own that keeps the past.

    Args:
        algorithm: trained.
        sampler: of actions; None for its usual one.
        target: return to ask for at the start.
        unit: that returns are divided by.
        idle: action of an episode that has ended: of no effect.
    """

    def __init__(
        self, algorithm: Any, sampler: Any, target: float, unit: float, idle: NDArray[Any]
    ) -> None:
        self._algorithm, self._sampler, self._idle = algorithm, sampler, idle
        self._target, self._unit = target, unit
        self._wrappers: list[Any] = []
        self._rewards, self._alive = np.zeros(0), np.zeros(0, bool)

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions of the next step; the first call begins the episodes."""
        if not self._wrappers:
            count = len(observations)
            self._wrappers = [
                self._algorithm.as_stateful_wrapper(self._target / self._unit, self._sampler)
                for _ in range(count)
            ]
            self._rewards, self._alive = np.zeros(count), np.ones(count, bool)
        rows = zip(self._wrappers, observations, self._rewards, self._alive, strict=True)
        return np.stack(
            [
                np.asarray(wrapper.predict(seen, reward / self._unit)) if alive else self._idle
                for wrapper, seen, reward, alive in rows
            ]
        )

    def told(self, rewards: NDArray[np.float64], alive: NDArray[np.bool_]) -> None:
        """It takes rewards off what is asked for by itself."""
        self._rewards, self._alive = rewards, alive.copy()


def _algorithm(library: Any, config: DTConfig, discrete: bool) -> Any:
    """Its algorithm with the options of ours; all else as it comes.

    What differs then: its positions are a learnt table of steps of the episode, ours are relative;
    its discrete variant squashes embeddings with tanh and also learns from padding.
    """
    warmup = max(1, round(config.warmup * config.steps))
    algos = library.algos
    shared = {
        "batch_size": config.batch_size, "learning_rate": config.learning_rate,
        "context_size": config.context, "max_timestep": _MOST_STEPS,
        "num_heads": config.heads, "num_layers": config.layers, "activation_type": "relu",
        "attn_dropout": config.dropout, "resid_dropout": config.dropout,
        "embed_dropout": config.dropout,
        # One linear layer per token, as published; by default it has two hidden ones.
        "encoder_factory": library.models.VectorEncoderFactory(
            [config.hidden_size], exclude_last_activation=True
        ),
        "position_encoding_type": library.PositionEncodingType.SIMPLE,
    }  # fmt: skip
    optim: dict[str, Any] = {
        "weight_decay": config.weight_decay,
        "clip_grad_norm": config.clip or None,
    }
    if discrete:
        tokens = warmup * config.batch_size * config.context
        return algos.DiscreteDecisionTransformerConfig(
            optim_factory=library.optimizers.AdamWFactory(**optim),
            warmup_tokens=tokens, final_tokens=_NEVER, **shared,
        )  # fmt: skip
    schedule = library.optimizers.WarmupSchedulerFactory(warmup)
    factory = library.optimizers.AdamWFactory(lr_scheduler_factory=schedule, **optim)
    return algos.DecisionTransformerConfig(optim_factory=factory, **shared)


def train_peer_dt(data: ControlData, config: DTConfig, target: float, unit: float) -> PeerDTPlayer:
    """Trains it on the same data for as many updates of as many windows.

    Args:
        data: to learn from.
        config: of ours.
        target: return to ask for when it plays.
        unit: that returns are divided by.

    Raises:
        ImportError: if d3rlpy is not installed.
    """
    d3rlpy, dataset = peer_data(data, config.seed, unit)
    discrete = CONTROL_TASKS[data.task].action.kind == "discrete"
    algorithm = _algorithm(d3rlpy, config, discrete).create(device="cpu:0")
    algorithm.build_with_dataset(dataset)
    for _ in range(config.steps):
        algorithm.update(dataset.sample_trajectory_batch(config.batch_size, config.context))
    sampler = d3rlpy.algos.GreedyTransformerActionSampler() if discrete else None
    return PeerDTPlayer(algorithm, sampler, target, unit, np.zeros_like(data.actions[0]))
