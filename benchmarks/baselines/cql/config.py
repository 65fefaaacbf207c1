"""Options of conservative Q-learning."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.baselines.shared.config import TransitionConfig
from wirelessenvs.checks import check_real

__all__ = ["CQLConfig"]


@dataclass(frozen=True)
class CQLConfig(TransitionConfig):
    """Options of conservative Q-learning.

    Args:
        alpha: weight of the conservative term; None is 1 for discrete actions and 5 for reals.
        target_every: discrete: updates between two copies of the network to its target.
        tau: reals: share by which the target network follows, per update.
        actor_learning_rate: reals: of the policy and of its temperature.
        num_samples: reals: actions drawn from each of the three distributions of the logsumexp.
        lagrange: reals: conservative gap per state above which the weight grows and below which it
            shrinks, starting from alpha; 0 keeps the weight.
    """

    alpha: float | None = None
    target_every: int = 200
    tau: float = 0.005
    actor_learning_rate: float = 1e-4
    num_samples: int = 10
    lagrange: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha is not None:
            object.__setattr__(self, "alpha", check_real("alpha", self.alpha, 0))
        check_real("tau", self.tau, 0, 1, low_open=True)

    def weight(self, discrete: bool) -> float:
        """Alpha, by the kind of action where none is given."""
        return self.alpha if self.alpha is not None else (1.0 if discrete else 5.0)
