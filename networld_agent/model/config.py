"""Every choice of the world model as a named option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, get_type_hints

from wirelessenvs.checks import check_fields, check_int, check_real

__all__ = ["WorldModelConfig"]

_CHOICES: Final = {
    "prediction": ("x0", "velocity", "noise"),
    "latent_norm": ("layernorm", "none"),
    "communication": ("mean", "attention", "none"),
    "stop_gradient": ("none", "target", "all"),
    "observation_tail": ("flat", "log"),
    "context": ("observation", "conditioned"),
    "classifier": ("shared", "separate"),
    "return_scaling": ("standardise", "raw"),
    "action_scaling": ("bounds", "raw"),
    "discrete_head": ("categorical", "bins"),
    "decode": ("mean", "mode"),
    "targets": ("two-hot", "one-hot"),
}


@dataclass(frozen=True)
class WorldModelConfig:
    """Sizes and choices of a world model.

    Args:
        horizon: H, length of a segment; divisible by 2^(levels - 1).
        latent_size: D, entries of one agent's latent, and numbers that it sends per step.
        diffusion_steps: T of the noise schedule.
        encoder_size: width of the scenario encoders' two hidden layers.
        channels: of the U-Net's finest level.
        multipliers: of `channels`, one per level.
        blocks_per_level: residual blocks; 1 gives the 4 down and 4 up of the method's text at four
            levels, 2 the 16 of the published planner.
        embedding_size: of the noise level and of the task, each.
        inverse_size: width of the inverse dynamics' two hidden layers.
        gamma: discount of the segment's return.
        prediction: what the U-Net's output means. "x0" must carry all of a nearly clean segment
            through the network, so `channels` should not be fewer than 2 `latent_size`.
            "velocity" (x0 = signal x - spread output) keeps details and spread of the data better;
            plans of "x0" lean towards the mean. "noise" divides errors by the tiny signal share of
            the first sampling steps, and latents have no box that would catch them.
        latent_norm: "layernorm" (without a learnt scale) keeps the diffusion loss from shrinking
            the latents to nothing; "none" leaves them free.
        stop_gradient: of the diffusion loss into the encoder: "none", through the "target" alone,
            or "all" of it (then classifier and inverse dynamics shape the latents).
        symlog: whether observations pass through it.
        standardise: whether observations, after that, are brought to mean 0 and variance 1 per
            entry, by the training data of their task.
        observation_limit: in standard deviations: what lies further out is held there, so that a
            planner that has left the data sees something known; 0 for none.
        observation_tail: what becomes of entries beyond that limit: "flat", they are held there, or
            "log", they go on as its logarithm, so that they stay apart.
        communication: what an agent takes from its neighbours' latents: their "mean"; or by
            "attention", their mean with weights that depend on its own latent and on theirs, in
            messages of the same size; or "none" of it: then that half of the channels is 0.
        attention_heads: of "attention"; each weighs its own slice of the latents.
        context: where the entries of a task's context go, if its observations end with one: as
            entries of the "observation" into the encoder alone, or, "conditioned", also into what
            conditions every block of the U-Net, and into the inverse dynamics and behaviour heads.
        classifier: "shared" with the U-Net's down path, or a "separate" copy of it.
        return_scaling: "standardise" returns per task before the bins, so that one head serves
            tasks of all magnitudes; "raw" bins them as they are.
        return_bins: number of bins, odd.
        action_scaling: of real-valued actions before the bins: "bounds" divides each component by
            a tenth of its largest legal magnitude, so that bins are dense where actions are;
            "raw" bins them as they are.
        action_bins: number of bins, odd.
        discrete_head: of discrete actions: one logit per choice ("categorical": for choices
            without an order, as beams), or symexp-spaced "bins" as for real actions.
        decode: of an action from its distribution: the "mean" of the bins, or the "mode".
        targets: "two-hot" weights on the two nearest bins, or "one-hot" on the nearest.
        diffusion_weight: of the denoising loss.
        classifier_weight: of the return loss.
        inverse_weight: of the inverse dynamics' loss.
        planned_action_weight: of the inverse dynamics' loss on the first transition of the denoised
            segment, at every noise level: the plan is taught to decode to the action that was
            taken, and latents to hold what that action depends on. Not with `prediction` "noise".
        behaviour_weight: of a head that predicts the action from own latent and neighbours' mean at
            every step of the window: latents come to hold what actions depend on; 0 for none. Only
            `plan_mode` "behaviour" acts by it.
        reconstruction_weight: of a head that recovers the observation from the latent: it keeps the
            latents from collapsing onto the action; 0 for none.
        first_step_weight: of the first generated step in the denoising loss, against 1 for all
            others: it is the one that becomes an action.
        max_tasks: rows of the task embedding.
    """

    horizon: int = 32
    latent_size: int = 32
    diffusion_steps: int = 20
    encoder_size: int = 256
    channels: int = 32
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    blocks_per_level: int = 1
    embedding_size: int = 32
    inverse_size: int = 256
    gamma: float = 0.99
    prediction: str = "x0"
    latent_norm: str = "layernorm"
    stop_gradient: str = "target"
    symlog: bool = True
    standardise: bool = True
    observation_limit: float = 3.0
    observation_tail: str = "flat"
    communication: str = "mean"
    attention_heads: int = 4
    context: str = "observation"
    classifier: str = "shared"
    return_scaling: str = "standardise"
    return_bins: int = 101
    action_scaling: str = "bounds"
    action_bins: int = 101
    discrete_head: str = "categorical"
    decode: str = "mode"
    targets: str = "two-hot"
    diffusion_weight: float = 5.0
    classifier_weight: float = 0.1
    inverse_weight: float = 1.0
    planned_action_weight: float = 8.0
    behaviour_weight: float = 1.0
    reconstruction_weight: float = 0.3
    first_step_weight: float = 5.0
    max_tasks: int = 16

    def __post_init__(self) -> None:
        check_fields(self, choices=_CHOICES, most=2**20)
        check_real("gamma", self.gamma, 0, 1)
        if not isinstance(self.multipliers, (tuple, list)) or not self.multipliers:
            raise TypeError(f"multipliers must be a tuple of integers, got {self.multipliers!r}.")
        multipliers = tuple(check_int("multipliers", m, 1, 1024) for m in self.multipliers)
        object.__setattr__(self, "multipliers", multipliers)
        if self.channels % 8:
            raise ValueError(f"channels must be a multiple of 8, got {self.channels}.")
        if self.horizon % self.stride or self.horizon < 2:
            raise ValueError(
                f"horizon must be a multiple of {self.stride} (and at least 2) for "
                f"{len(multipliers)} levels, got {self.horizon}."
            )
        for name in ("return_bins", "action_bins"):
            if getattr(self, name) % 2 == 0 or getattr(self, name) < 3:
                raise ValueError(f"{name} must be odd and at least 3, got {getattr(self, name)}.")
        if self.communication == "attention" and self.latent_size % self.attention_heads:
            raise ValueError(
                f"attention_heads must divide the latent_size {self.latent_size}, "
                f"got {self.attention_heads}."
            )
        if self.embedding_size % 2:
            raise ValueError(f"embedding_size must be even, got {self.embedding_size}.")

    @property
    def stride(self) -> int:
        """Steps of the segment per entry of the coarsest level."""
        return int(2 ** (len(self.multipliers) - 1))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> WorldModelConfig:
        """Reads what `dataclasses.asdict` and JSON made of one, now or before 0.2.

        Raises:
            ValueError: for an unknown option or a value out of bounds.
        """
        known = get_type_hints(cls)
        if "mean_field" in document:
            # As models of 0.1 say it.
            document = {**document, "communication": "mean" if document["mean_field"] else "none"}
            del document["mean_field"]
        for name in document:
            if name not in known:
                raise ValueError(f"unknown option {name!r} of the world model.")
        return cls(**document)
