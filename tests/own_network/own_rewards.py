"""Rewards as somebody else's module would hold them."""

import numpy as np


def first_metric_doubled(metrics):
    """Twice the first metric of any task: rate, packets served, or satisfaction."""
    name = next(name for name in metrics if name != "reward")
    return 2 * metrics[name]


def ahead_of_the_mean(metrics):
    """Sums over agents: rounds otherwise in arrays of another layout."""
    return metrics["reward"] - metrics["reward"].mean()


def one_number(metrics):
    return metrics["reward"].mean()


def nothing(metrics):
    return None


def not_a_number(metrics):
    rewards = metrics["reward"] * 0.0
    rewards[1] = np.nan if metrics["reward"].any() else 0.0
    return rewards


def huge(metrics):
    """Finite in every agent; their sum is not."""
    rewards = metrics["reward"] * 0.0
    rewards[1:] = -1e308 if metrics["reward"].any() else 0.0
    return rewards


def missing(metrics):
    return metrics["no such metric"]


def greedy(metrics):
    """Writes into what it gets, which must change nothing else."""
    for values in metrics.values():
        values[:] = 7.0
    return metrics["reward"]


def complex_numbers(metrics):
    return metrics["reward"] + 1j


def words(metrics):
    return ["1"] * len(metrics["reward"])


def leaves(metrics):
    raise SystemExit(0)
