"""Presets: every option of the model and of its training, for four budgets.

* smoke: seconds; the smallest network, to see that everything works.
* demo: a minute or two per model on two CPU cores; plans in milliseconds.
* cpu: the same network looking twice as far ahead; some four minutes per pre-training and one per
  adaptation on a core, so that two models are trained side by side on two.
* paper: the published scale, for a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from networld_agent.model.config import WorldModelConfig
from networld_agent.training.config import TrainingConfig
from wirelessenvs.checks import check_choice
from wirelessenvs.command import parse_overrides

__all__ = ["PRESETS", "Preset", "TrainingConfig", "WorldModelConfig", "get_preset", "parse_options"]


@dataclass(frozen=True)
class Preset:
    """Options of `pretrain` and `adapt`.

    Args:
        name: that a run's folder is marked with.
        model: sizes and choices of the network.
        training: budget of pre-training, or of training on one task.
        adaptation: budget of adapting to a new task.
    """

    name: str
    model: WorldModelConfig
    training: TrainingConfig
    adaptation: TrainingConfig


_PRESETS: Final = (
    Preset(
        "smoke",
        WorldModelConfig(
            horizon=8, latent_size=8, encoder_size=32, channels=16, multipliers=(1, 2),
            embedding_size=16, inverse_size=32, diffusion_steps=10, return_bins=41,
            action_bins=41,
        ),
        TrainingConfig(
            steps=100, batch_size=64, warmup_steps=10, log_every=10, save_every=50,
            validate_every=20, ema_decay=0.98,
        ),
        TrainingConfig(
            steps=60, batch_size=64, warmup_steps=10, log_every=10, save_every=30,
            validate_every=10, ema_decay=0.98,
        ),
    ),
    Preset(
        "demo",
        WorldModelConfig(
            horizon=8, latent_size=16, encoder_size=128, channels=32, multipliers=(1, 2, 4),
            embedding_size=32, inverse_size=128,
        ),
        TrainingConfig(
            steps=1_500, batch_size=192, learning_rate=3e-3, warmup_steps=50, ema_decay=0.995,
            save_every=500,
        ),
        TrainingConfig(
            steps=800, batch_size=128, learning_rate=3e-3, warmup_steps=50, ema_decay=0.995,
            save_every=400, validate_every=50,
        ),
    ),
    Preset(
        "cpu",
        WorldModelConfig(
            horizon=16, latent_size=16, encoder_size=128, channels=32, multipliers=(1, 2, 4),
            embedding_size=32, inverse_size=128,
        ),
        TrainingConfig(
            steps=2_000, batch_size=256, learning_rate=3e-3, warmup_steps=100, ema_decay=0.997,
        ),
        TrainingConfig(
            steps=800, batch_size=128, learning_rate=3e-3, warmup_steps=50, ema_decay=0.995,
            save_every=400, validate_every=50,
        ),
    ),
    Preset(
        "paper",
        WorldModelConfig(
            horizon=32, latent_size=32, encoder_size=512, channels=64, multipliers=(1, 2, 4, 8),
            embedding_size=64, inverse_size=512, return_bins=127, action_bins=127,
        ),
        TrainingConfig(
            steps=100_000, batch_size=1024, learning_rate=3e-4, warmup_steps=1_000,
            ema_decay=0.9999, log_every=100, save_every=2_000, validate_every=1_000,
        ),
        TrainingConfig(
            steps=10_000, batch_size=1024, learning_rate=3e-4, warmup_steps=200,
            ema_decay=0.999, log_every=100, save_every=2_000, validate_every=200,
        ),
    ),
)  # fmt: skip
#: By name.
PRESETS: Final = {preset.name: preset for preset in _PRESETS}


def get_preset(name: str, options: Mapping[str, Any] | None = None) -> Preset:
    """A preset with some options replaced.

    Args:
        name: of the preset.
        options: values by name, of the model or of the training (then of pre-training and
            adaptation alike).

    Raises:
        ValueError: naming an unknown preset, option or value.

    Example:
        >>> get_preset("smoke", {"horizon": 16}).model.horizon
        16
    """
    preset = PRESETS[check_choice("--preset", name, tuple(PRESETS))]
    known = _option_names(WorldModelConfig), _option_names(TrainingConfig)
    chosen: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for option, value in (options or {}).items():
        place = next((i for i, names in enumerate(known) if option in names), None)
        if place is None:
            raise ValueError(
                f"unknown option {option!r}; options: {', '.join(sorted(known[0] + known[1]))}."
            )
        chosen[place][option] = value
    model, training = chosen
    return Preset(
        preset.name,
        dataclasses.replace(preset.model, **model),
        dataclasses.replace(preset.training, **training),
        dataclasses.replace(preset.adaptation, **training),
    )


def _option_names(kind: type[WorldModelConfig] | type[TrainingConfig]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """`["horizon=16", "targets=one-hot"]` as values by name; plain words are strings.

    Raises:
        ValueError: naming what is no such pair, and what is given twice.
    """
    return parse_overrides(pairs, form="OPTION=VALUE")
