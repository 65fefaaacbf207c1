"""Learners of the baselines on any device, and where some updates take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from baseline_cases import tiny_config, tiny_data
from parity import Other, assert_close, on_side
from torch import Tensor, nn

from benchmarks.baselines import make_baseline
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.training_loop import Learner

__all__ = ["assert_updates_agree", "learner_of", "moved", "on_cpu", "state_of", "updates"]


def learner_of(name: str, kind: str, device: torch.device, **options: Any) -> Learner:
    """A learner of fresh weights."""
    data = tiny_data(kind)
    # Two channels to a group: of a single one, gradients are sums of terms that cancel.
    sizes = {"hidden_size": 32, **({"channels": 16} if name == "dd" else {})}
    config = tiny_config(name, **{"device": device.type, **sizes, **options})
    scaling = ObservationScaling.of_data(data, config.mean_field)
    return make_baseline(name).learner(data, scaling, config)


def assert_updates_agree(
    work: Callable[[torch.device], Any], other: Other, values: float, host: bool = False
) -> None:
    """Compares "values" entry by entry, and "moved", all weights as one vector, to 1 %.

    Where there are any, "first" are the values of the first update, which must agree to 1e-4, and
    "moved first" is what it moved.

    Args:
        work: returns these.
        other: the second device.
        values: tolerance of the values.
        host: as in `on_side`.
    """
    here, there = (on_side(work, side, host) for side in (Other("cpu"), other))
    bounds = {"first": 1e-4, "values": values, "moved first": 1e-2, "moved": 1e-2}
    found = {name.split("/")[0] for name in here}
    assert {"values", "moved"} <= found <= set(bounds), found
    for group in found:
        pair = [{n: t for n, t in s.items() if n.startswith(f"{group}/")} for s in (here, there)]
        relative = 0.0 if other.exact else bounds[group]
        assert_close(*pair, relative, joint=group.startswith("moved"))


def on_cpu(tree: Any) -> Any:
    """Nested containers with copies of their tensors on the CPU."""
    if isinstance(tree, dict):
        return {name: on_cpu(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [on_cpu(value) for value in tree]
    return tree.detach().to("cpu", copy=True) if isinstance(tree, Tensor) else tree


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """A copy of its state."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def moved(module: nn.Module, before: dict[str, Tensor]) -> dict[str, Tensor]:
    """Differences of the real-valued entries of the module's state."""
    return {
        name: tensor - before[name]
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }


def updates(learner: Learner, count: int) -> dict[str, Any]:
    """What `assert_updates_agree` compares, of `count` updates."""
    before, values, once = state_of(learner.module), [], {}
    for step in range(count):
        # As the training loop does: the numbers of an update do not depend on those before.
        torch.manual_seed(step)
        found = learner.update(learner.batch(step), step)
        values.append({name: value.detach() for name, value in found.items()})
        once = once or {n: t.clone() for n, t in moved(learner.module, before).items()}
    return {
        "first": values[0],
        "values": values,
        "moved first": once,
        "moved": moved(learner.module, before),
    }
