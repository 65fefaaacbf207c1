"""Multi-agent environments for learning-based control of wireless networks.

Example:
    >>> import wirelessenvs
    >>> env = wirelessenvs.make("rb-v0", preset="rb-9")
    >>> observations, infos = env.reset(seed=0)
    >>> actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    >>> observations, rewards, terminations, truncations, infos = env.step(actions)
"""

from wirelessenvs.actions import check_actions
from wirelessenvs.families import deployments
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.policy import Information, Policy, PolicySpec, Privileged
from wirelessenvs.registration import make, make_vec, register_all
from wirelessenvs.rollout import run_policy
from wirelessenvs.simulator import Simulator, Step
from wirelessenvs.tasks import TASKS, make_policy, make_simulator

__version__ = "0.1.0"

__all__ = [
    "TASKS",
    "Information",
    "NeighborGraph",
    "Policy",
    "PolicySpec",
    "Privileged",
    "Simulator",
    "Step",
    "check_actions",
    "deployments",
    "make",
    "make_policy",
    "make_simulator",
    "make_vec",
    "run_policy",
]

register_all()
