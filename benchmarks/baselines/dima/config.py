"""Every number of the world model as a named option, and presets of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from wirelessenvs.checks import check_choice, check_fields, check_int, check_names, check_real

__all__ = [
    "OPTIONS",
    "PRESETS",
    "BatchShape",
    "DenoiserConfig",
    "DimaConfig",
    "RewardConfig",
    "StateConfig",
]

_CHOICES: Final = {
    "conditioning": ("sequential", "joint"),
    "order": ("random", "descending", "ascending"),
    "action_encoder": ("mlp", "perceiver"),
    "loss": ("l1", "mse"),
}


@dataclass(frozen=True)
class BatchShape:
    """Size of the batch of one part's update.

    Args:
        rows: B of its `Sequences`.
        steps: L of its `Sequences`.
    """

    rows: int
    steps: int


class _Checked:
    """Checks the values of a dataclass by their types; bounds are its own business."""

    #: Options that may be 0, and those of either sign.
    _zero: ClassVar[tuple[str, ...]] = ()
    _signed: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_fields(
            self,
            zero=self._zero,
            signed=self._signed,
            choices=_CHOICES,
            most=2**20,
            positive=True,
        )

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Reads what `dataclasses.asdict` and JSON made of one.

        Raises:
            TypeError: for an unknown option; the sentence lists those that exist.
            ValueError: for a value out of bounds.
        """
        check_names("option", document, [f.name for f in dataclasses.fields(cls)])  # type: ignore[arg-type]
        return cls(**document)


@dataclass(frozen=True)
class DenoiserConfig(_Checked):
    """The diffusion model of the next state; arXiv 2505.20922, section 4 and appendix.

    Args:
        context: C, states that are seen, the present one included.
        conditioning: "sequential": a denoising step sees the present action of one agent, all
            earlier ones of everybody; "joint": it sees all present actions.
        order: of the agents over the denoising steps of a sample; "random" draws one per sample.
        action_encoder: "mlp", one small network per agent; or the "perceiver" of the released
            code, which costs 10 to 26 times as much.
        offset_noise: standard deviation that is added to every noise level; 0 in the paper, 0.3 in
            the released code.
        rollout_steps: training predicts that many steps on its own outputs; 1 in the paper, 3 in
            the released code.
        sampling_steps: K; 0 takes the paper's 2 n for up to two agents and n for more.
        channels: of the U-Net, the same at every level; a multiple of `group_size`.
        group_size: channels that are normalised together.
        levels: of the U-Net; each but the first halves the number of positions.
        blocks: residual blocks per level.
        embedding_size: of noise level and actions, which condition every block.
        action_hidden: width of the "mlp" encoder.
        perceiver_latents: of the "perceiver".
        perceiver_width: of the same.
        perceiver_layers: of the same.
        noise_mean: of ln sigma in training.
        noise_std: of ln sigma in training.
        least_noise: sigma in training and sampling is at least this.
        greatest_noise: sigma in training is at most this.
        first_noise: sigma that sampling starts from.
        rho: curvature of the sampling schedule.
        batch_size: windows per update.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        clip: greatest norm of the gradient.
        warm_up: updates over which the learning rate grows from 0.
    """

    _zero = ("offset_noise", "sampling_steps", "weight_decay", "warm_up")
    _signed = ("noise_mean",)

    context: int = 3
    conditioning: str = "sequential"
    order: str = "random"
    action_encoder: str = "mlp"
    offset_noise: float = 0.3
    rollout_steps: int = 3
    sampling_steps: int = 0
    channels: int = 64
    group_size: int = 32
    levels: int = 3
    blocks: int = 2
    embedding_size: int = 256
    action_hidden: int = 128
    perceiver_latents: int = 32
    perceiver_width: int = 512
    perceiver_layers: int = 2
    noise_mean: float = -0.4
    noise_std: float = 1.2
    least_noise: float = 2e-3
    greatest_noise: float = 20.0
    first_noise: float = 5.0
    rho: float = 7.0
    batch_size: int = 64
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clip: float = 1.0
    warm_up: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context < 2:
            raise ValueError(f"context must be at least 2 states, got {self.context}.")
        if self.channels % self.group_size:
            raise ValueError(
                f"channels must be a multiple of group_size ({self.group_size}), "
                f"got {self.channels}."
            )
        if not self.least_noise < self.first_noise:
            raise ValueError(
                f"first_noise must be greater than least_noise ({self.least_noise:g}), "
                f"got {self.first_noise:g}."
            )
        if not self.least_noise < self.greatest_noise:
            raise ValueError(
                f"greatest_noise must be greater than least_noise ({self.least_noise:g}), "
                f"got {self.greatest_noise:g}."
            )
        if (self.context + 1) % 2 ** (self.levels - 1):
            raise ValueError(
                f"context + 1 must be a multiple of {2 ** (self.levels - 1)} for {self.levels} "
                f"levels, got context {self.context}."
            )
        if self.embedding_size % 2:
            raise ValueError(f"embedding_size must be even, got {self.embedding_size}.")

    def steps(self, num_agents: int) -> int:
        """Number K of denoising steps for a number of agents.

        Raises:
            ValueError: if there are too few steps to see every agent.
        """
        steps = self.sampling_steps or (2 * num_agents if num_agents <= 2 else num_agents)
        if self.conditioning == "sequential" and steps < num_agents:
            raise ValueError(
                f"sequential conditioning of {num_agents} agents needs at least as many "
                f"sampling_steps, got {steps}."
            )
        return steps

    @property
    def batch(self) -> BatchShape:
        """Shape of an update's batch: a context, and a step per prediction."""
        return BatchShape(self.batch_size, self.context - 1 + self.rollout_steps)


@dataclass(frozen=True)
class RewardConfig(_Checked):
    """The transformer that predicts reward and termination.

    Args:
        context: steps that it sees, and the length of its training windows.
        width: of the tokens; `width / heads` must be even.
        layers: of the transformer.
        heads: of its attention.
        dropout: share of attention weights and layer outputs dropped in training.
        batch_size: windows per update.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        clip: greatest norm of the gradient.
    """

    _zero = ("dropout", "weight_decay")

    context: int = 15
    width: int = 256
    layers: int = 6
    heads: int = 4
    dropout: float = 0.1
    batch_size: int = 128
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clip: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("dropout", self.dropout, 0, 0.9)
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width must be a multiple of twice the heads ({2 * self.heads}), got {self.width}."
            )

    @property
    def batch(self) -> BatchShape:
        """Shape of an update's batch."""
        return BatchShape(self.batch_size, self.context)


@dataclass(frozen=True)
class StateConfig(_Checked):
    """The auto-encoder that reads all observations off a state.

    Args:
        levels: of one code's entries (finite scalar quantisation, arXiv 2309.15505); empty for
            none: the state then passes through reals.
        codes: that describe one state.
        hidden: width of encoder and decoder.
        batch_size: states per update.
        learning_rate: of AdamW.
        clip: greatest norm of the gradient.
        loss: "l1", mean absolute error of the observations, as in the released code; or "mse", mean
            square error.
        read: whether observations are read off a state that begins with them. Where none does, or
            without it, they pass through the codes, as published.
    """

    levels: tuple[int, ...] = (8, 6, 5)
    codes: int = 16
    hidden: int = 512
    batch_size: int = 256
    learning_rate: float = 3e-4
    clip: float = 10.0
    loss: str = "l1"
    read: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.levels, (tuple, list)):
            raise TypeError(f"levels must be a tuple of integers, got {self.levels!r}.")
        levels = tuple(check_int("levels", level, 3, 1024) for level in self.levels)
        object.__setattr__(self, "levels", levels)

    @property
    def batch(self) -> BatchShape:
        """Shape of an update's batch, which uses only the first state of each piece."""
        return BatchShape(self.batch_size, 1)


@dataclass(frozen=True)
class DimaConfig:
    """All parts of the world model.

    Args:
        denoiser: of the next state.
        reward: and termination.
        state: to observations.
        limit: normalised states are held within this many standard deviations, so that an entry
            that hardly ever moves cannot throw the model off when it does.
    """

    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    state: StateConfig = field(default_factory=StateConfig)
    limit: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", check_real("limit", self.limit, 0, low_open=True))

    @classmethod
    def from_preset(cls, name: str, **overrides: Any) -> DimaConfig:
        """A named configuration, with options replaced.

        Args:
            name: of a preset.
            **overrides: by part and name, as in `denoiser_conditioning="joint"`.

        Raises:
            ValueError: for an unknown preset, or a value out of bounds.
            TypeError: for an unknown option; the sentence lists those that exist.
        """
        return PRESETS[check_choice("preset", name, tuple(PRESETS))].replace(**overrides)

    def replace(self, **overrides: Any) -> DimaConfig:
        """A configuration with options replaced, by part and name as in `from_preset`.

        Raises:
            TypeError: for an unknown option; the sentence lists those that exist.
            ValueError: for a value out of bounds.
        """
        check_names("option", overrides, OPTIONS)
        config = self
        for key, value in overrides.items():
            part, _, option = key.partition("_")
            if option:
                value = dataclasses.replace(getattr(config, part), **{option: value})
            config = dataclasses.replace(config, **{part: value})
        return config

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> DimaConfig:
        """Reads what `to_json` wrote.

        Raises:
            TypeError: for an unknown option; the sentence lists those that exist.
            ValueError: for a value out of bounds.
        """
        check_names("part", document, [*_PARTS, "limit"])
        parts = {name: kind.from_json(document[name]) for name, kind in _PARTS.items()}
        return cls(**parts, limit=document["limit"])

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        document = dataclasses.asdict(self)
        document["state"]["levels"] = list(self.state.levels)
        return document

    def batches(self) -> dict[str, BatchShape]:
        """Shape of the batch of each part's update, by the part's name."""
        return {name: getattr(self, name).batch for name in _PARTS}


_PARTS: Final[dict[str, Any]] = {
    "denoiser": DenoiserConfig,
    "reward": RewardConfig,
    "state": StateConfig,
}
#: Names of all options, as in `denoiser_context`.
OPTIONS: Final = (
    *(f"{part}_{o.name}" for part, kind in _PARTS.items() for o in dataclasses.fields(kind)),
    "limit",
)

#: "paper": the published sizes, with the released code's offset noise and three-step training, a
#: random order and light action encoders. "perceiver": the same with the released action encoder.
#: "wireless": for a CPU core and many agents. "tiny": for tests.
PRESETS: Final[dict[str, DimaConfig]] = {
    "paper": DimaConfig(),
    "perceiver": DimaConfig(denoiser=DenoiserConfig(action_encoder="perceiver")),
    "wireless": DimaConfig(
        denoiser=DenoiserConfig(
            conditioning="joint",
            rollout_steps=1,
            sampling_steps=4,
            blocks=1,
            embedding_size=128,
            action_hidden=64,
            learning_rate=5e-4,
        ),
        reward=RewardConfig(width=128, layers=2, dropout=0.0, batch_size=32, learning_rate=5e-4),
        state=StateConfig(codes=32, hidden=256, batch_size=128, read=True),
    ),
    "tiny": DimaConfig(
        denoiser=DenoiserConfig(
            channels=16,
            group_size=8,
            blocks=1,
            embedding_size=32,
            action_hidden=16,
            perceiver_latents=4,
            perceiver_width=32,
            perceiver_layers=1,
            batch_size=16,
            learning_rate=1e-3,
            warm_up=10,
        ),
        reward=RewardConfig(
            context=5, width=32, layers=2, heads=2, batch_size=16, learning_rate=1e-3
        ),
        state=StateConfig(codes=4, hidden=32, batch_size=32, learning_rate=1e-3),
    ),
}
