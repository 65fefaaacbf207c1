"""MA-CQL: conservative Q-learning (A. Kumar et al., arXiv 2006.04779).

Beside the temporal difference, the loss raises the values of the data's actions and lowers those of
all others: alpha (logsumexp_a Q(s, a) - Q(s, a_data)), CQL(H), equation 4. Discrete actions use
double Q-learning, reals soft actor-critic.
"""

from __future__ import annotations

from benchmarks.baselines.cql.box import BoxCQLLearner
from benchmarks.baselines.cql.config import CQLConfig
from benchmarks.baselines.cql.discrete import DiscreteCQLLearner
from benchmarks.baselines.shared.actor_policy import ActorPolicy
from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, Learner, OfflineData
from benchmarks.baselines.shared.networks import Actor, CategoricalActor, SquashedGaussianActor
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.transitions import OfflineTransitions, TransitionSource

__all__ = ["CQLConfig", "ConservativeQLearning", "cql_learner"]


class CQLPolicy(ActorPolicy):
    """The choice of the greatest value, or the mean of the soft policy."""

    name = "cql"
    config_type = CQLConfig

    def make_network(self) -> Actor:
        """A network of the same shape as the learner's."""
        kind = CategoricalActor if self.codec.discrete else SquashedGaussianActor
        return kind(self.scaling.input_size, self.spec.config.hidden_size, self.codec)


def cql_learner(source: TransitionSource, config: CQLConfig) -> Learner:
    """The learner that fits the kind of action."""
    kind = DiscreteCQLLearner if source.codec.discrete else BoxCQLLearner
    return kind(source, config)


class ConservativeQLearning(Baseline):
    """Learns values that are low where the data says nothing."""

    name = "cql"
    config_type = CQLConfig
    policy_type = CQLPolicy

    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> Learner:
        """Untrained networks on this data."""
        assert isinstance(config, CQLConfig)
        return cql_learner(OfflineTransitions(data, scaling, config, config.credit), config)
