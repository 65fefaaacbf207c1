"""Presets: every option of the model and of its training, for four budgets.

* smoke: seconds; the smallest network, to see that everything works.
* demo: a minute or two per model on two CPU cores; plans in milliseconds.
* cpu: the same network looking twice as far ahead; some four minutes per pre-training and one per
  adaptation on a core, so that two models are trained side by side on two.
* paper: the published scale, for a GPU.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from networld_agent.model.config import WorldModelConfig
from networld_agent.training.config import TrainingConfig
from wirelessenvs.checks import check_choice

__all__ = ["PRESETS", "Preset", "TrainingConfig", "WorldModelConfig", "get_preset", "parse_options"]


@dataclass(frozen=True)
class Preset:
    """Options that a preset gives to the training commands.

    Args:
        model: sizes and choices of the network.
        training: budget of pre-training, or of training on one task.
        adaptation: budget of adapting to a new task.
    """

    model: WorldModelConfig
    training: TrainingConfig
    adaptation: TrainingConfig


PRESETS: Final = {
    "smoke": Preset(
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
    "demo": Preset(
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
    "cpu": Preset(
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
    "paper": Preset(
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
}  # fmt: skip


def get_preset(name: str, overrides: Sequence[str] = ()) -> Preset:
    """A preset with some options replaced.

    Args:
        name: of the preset.
        overrides: "option=value" each, of the model or of the training (then of pre-training and
            adaptation alike).

    Raises:
        ValueError: naming an unknown preset, option or value.

    Example:
        >>> get_preset("smoke", ["horizon=16"]).model.horizon
        16
    """
    preset = PRESETS[check_choice("--preset", name, tuple(PRESETS))]
    model, training = parse_options(overrides)
    return Preset(
        dataclasses.replace(preset.model, **model),
        dataclasses.replace(preset.training, **training),
        dataclasses.replace(preset.adaptation, **training),
    )


def parse_options(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the model and of the training in a list of "option=value".

    Raises:
        ValueError: naming what is no option.
    """
    chosen: list[dict[str, Any]] = [{}, {}]
    known = [
        [field.name for field in dataclasses.fields(kind)]
        for kind in (WorldModelConfig, TrainingConfig)
    ]
    for pair in overrides:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set takes OPTION=VALUE, got {pair!r}.")
        place = next((i for i, names in enumerate(known) if name in names), None)
        if place is None:
            raise ValueError(
                f"unknown option {name!r}; options: {', '.join(sorted(known[0] + known[1]))}."
            )
        try:
            chosen[place][name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            chosen[place][name] = text
    return chosen[0], chosen[1]
