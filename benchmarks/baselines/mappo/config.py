"""Options of MAPPO and IPPO."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.baselines.shared.config import BaselineConfig
from wirelessenvs.checks import check_real

__all__ = ["MappoConfig", "PpoConfig"]


@dataclass(frozen=True)
class PpoConfig(BaselineConfig):
    """Options of proximal policy optimisation (J. Schulman et al., arXiv 1707.06347).

    Args:
        epochs: passes over the collected steps in one policy update.
        clip: epsilon, distance of the probability ratio from 1 beyond which nothing is gained.
        entropy: weight of the entropy in the actor's objective.
        trace: lambda of the returns.
        max_gradient: greatest norm of a gradient.
        huber: error of a normalised value beyond which the critic's loss is linear.
        value_decay: of the running statistics of the returns, per policy update.
        first_std: deviation of real actions, in [-1, 1], that training starts from.
        normalise_inputs: whether actor and critic begin with a LayerNorm.
    """

    epochs: int = 5
    clip: float = 0.2
    entropy: float = 0.01
    trace: float = 0.95
    max_gradient: float = 10.0
    huber: float = 10.0
    value_decay: float = 0.99
    first_std: float = 0.5
    normalise_inputs: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("trace", "value_decay"):
            check_real(name, getattr(self, name), 0, 1)
        for name in ("clip", "max_gradient", "huber", "first_std"):
            check_real(name, getattr(self, name), 0, low_open=True)
        if self.mean_field:
            raise ValueError("mean_field must be False: this method's agents see only their own.")


@dataclass(frozen=True)
class MappoConfig(PpoConfig):
    """MAPPO; `steps` are steps of single environments, all environments counted.

    Args:
        num_envs: environments played side by side.
        rollout: steps of each between two policy updates.
        independent: IPPO: the critic sees an agent's own observation instead of the state
            (C. S. de Witt et al., arXiv 2011.09533).
        log_every: policy updates between two lines of the log.
        save_every: policy updates between two checkpoints.
    """

    batch_size: int = 1024
    learning_rate: float = 5e-4
    hidden_size: int = 128
    log_every: int = 1
    save_every: int = 20
    num_envs: int = 10
    rollout: int = 20
    independent: bool = False

    @property
    def method(self) -> str:
        """Name of the method, "mappo" or "ippo"."""
        return "ippo" if self.independent else "mappo"
