"""Options of the planner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from networld_agent.planning.samplers import SAMPLERS
from wirelessenvs.checks import check_choice, check_flag, check_int, check_real

__all__ = [
    "DECODINGS",
    "DEFAULT_GUIDANCE_SCALE",
    "DEFAULT_STEPS",
    "DEFAULT_TEMPERATURE",
    "DEFAULT_VOTES",
    "GRAPHS",
    "PLAN_MODES",
    "PlannerConfig",
]

PLAN_MODES: Final = ("guide", "select", "both", "none", "random", "behaviour")
DECODINGS: Final = ("mean", "mode")
GRAPHS: Final = ("auto", "off")
#: Denoising steps where none were tuned.
DEFAULT_STEPS: Final = 3
#: Where none was tuned: a step of a tenth of the latents' spread.
DEFAULT_GUIDANCE_SCALE: Final = 0.1
#: Until one has been tuned for the task.
DEFAULT_TEMPERATURE: Final = 0.5
#: At temperature 1: of a mixture of behaviours, a single draw may be the worst one.
DEFAULT_VOTES: Final = 8


@dataclass(frozen=True)
class PlannerConfig:
    """How plans are drawn and followed.

    Args:
        sampler: "ddim", "dpm" (DPM-Solver++ 2M) or "ddpm".
        steps: noise levels visited per plan, at most those of the model's schedule; None takes what
            was tuned for the task, else 3.
        spacing: 1 visits evenly spaced levels; above 1, they crowd towards the clean end.
        plan_mode: "guide" steers one sample by the classifier; "select" draws `candidates` samples
            unsteered and follows the one that the classifier rates best; "both" does both; "none"
            follows an unsteered sample. Two controls: "random" steers along a random direction
            instead of the classifier's gradient, of the same size; "behaviour" plans nothing and
            acts as the behaviour head says, which clones the data from own latent and neighbours'
            mean.
        candidates: N of "select" and "both".
        guidance_scale: shift per step in units of the latents' spread; None takes the scale that
            was tuned for the task and stored with the model.
        normalize_gradient: scale every plan's gradient to unit size, so that one scale fits rewards
            of any unit. Otherwise `guidance_scale` multiplies the gradient itself.
        unguided_steps: last steps of the sampler without guidance.
        warm_start: 0 draws every plan from pure noise; n > 0 noises the last plan, shifted to the
            present, and visits only the last n levels. Small n confirm the old plan whatever is
            observed: measure before use.
        execute: actions taken from one plan before the next. Agents only communicate to plan.
        temperature: scale of the sampler's noise, 0 to 1; below 1, plans crowd around the likely.
            None takes what was tuned for the task, else 0.5.
        votes: plans drawn per agent and decision, each as `plan_mode` says; followed is the one
            whose first action is likeliest under all of them. None takes 8 at temperature 1, where
            plans show all that the data does, and 1 below.
        value_scale: weight of the values of actions against the logarithm of how likely the plan
            makes them; 0 follows the plan alone, None takes what was tuned for the task, if the
            model has learnt values. Only the first action of a plan is weighed.
        decoding: "mean" or "mode" of the inverse dynamics; None takes the model's own choice.
        seed: of the plans' noise.
        graph: "auto" captures each decision as a CUDA graph where the model lies on a GPU, once per
            number of environments and agents; "off" launches its kernels one by one.
        tf32: on a GPU, whether matrix products may round their factors to 10 bits of mantissa:
            quicker for many agents, and plans differ from those of a CPU in their third digit.
    """

    sampler: str = "ddim"
    steps: int | None = None
    spacing: float = 1.0
    plan_mode: str = "guide"
    candidates: int = 8
    guidance_scale: float | None = None
    normalize_gradient: bool = True
    unguided_steps: int = 1
    warm_start: int = 0
    execute: int = 1
    temperature: float | None = None
    votes: int | None = None
    value_scale: float | None = None
    decoding: str | None = None
    seed: int = 0
    graph: str = "auto"
    tf32: bool = False

    def __post_init__(self) -> None:
        check_choice("sampler", self.sampler, SAMPLERS)
        if self.steps is not None:
            check_int("steps", self.steps, 1)
        check_real("spacing", self.spacing, 0.1, 10)
        check_choice("plan_mode", self.plan_mode, PLAN_MODES)
        check_int("candidates", self.candidates, 1)
        if self.guidance_scale is not None:
            check_real("guidance_scale", self.guidance_scale, 0)
        check_flag("normalize_gradient", self.normalize_gradient)
        check_int("unguided_steps", self.unguided_steps, 0)
        check_int("warm_start", self.warm_start, 0, self.steps)
        check_int("execute", self.execute, 1)
        if self.plan_mode == "behaviour":
            for name, alone in (("execute", 1), ("warm_start", 0)):
                if getattr(self, name) != alone:
                    raise ValueError(
                        f"{name} must be {alone} with plan_mode 'behaviour', which plans nothing, "
                        f"got {getattr(self, name)}."
                    )
        if self.plan_mode == "random" and self.guidance_scale == 0:
            raise ValueError(
                "guidance_scale must be above 0 with plan_mode 'random': at 0 it is 'none'."
            )
        if self.temperature is not None:
            check_real("temperature", self.temperature, 0, 1)
        if self.votes is not None:
            check_int("votes", self.votes, 1)
        if self.value_scale is not None:
            check_real("value_scale", self.value_scale, 0)
        if self.decoding is not None:
            check_choice("decoding", self.decoding, DECODINGS)
        check_int("seed", self.seed, 0, 2**63 - 1)
        check_choice("graph", self.graph, GRAPHS)
        check_flag("tf32", self.tf32)

    @property
    def guided(self) -> bool:
        """Whether samples are steered, by the classifier's gradient or a random direction."""
        return self.plan_mode in ("guide", "both", "random")

    @property
    def samples(self) -> int:
        """Plans drawn for each one that is followed or votes."""
        return self.candidates if self.plan_mode in ("select", "both") else 1
