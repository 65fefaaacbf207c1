"""Updates of every baseline on two devices, after one and after five, from equal noise.

Tolerances: values of the log 1e-4 of the greatest in the first update, 1e-3 over five; weights 1 %
of the way that all of them have moved.
"""

import numpy as np
import pytest
import torch
from baseline_cases import METHODS, tiny_config, tiny_data
from learner_cases import assert_updates_agree, learner_of, updates
from parity import CPU, HostNoise, assert_close
from run_cases import dies_after

from benchmarks.baselines import make_baseline
from networld_agent.training.checkpoints import load_checkpoint

#: Options that reach further branches.
MORE = {
    "bc": {"weight_decay": 0.1, "mean_field": True},
    "cql": {"lagrange": 1.0, "target_every": 2, "mean_field": True},
    "iql": {"expectile": 0.9, "trajectory_temperature": 0.1},
    "dt": {"dropout": 0.0, "heads": 2},
    "dd": {"prediction": "velocity", "planned_action_weight": 0.0},
}


@pytest.mark.parametrize("kind", ["discrete", "box"])
@pytest.mark.parametrize("name", METHODS)
def test_updates(other, name, kind):
    def work(device):
        return updates(learner_of(name, kind, device), 5)

    assert_updates_agree(work, other, 1e-3)


@pytest.mark.parametrize("kind", ["discrete", "box"])
@pytest.mark.parametrize("name", METHODS)
def test_updates_with_other_options(other, name, kind):
    def work(device):
        return updates(learner_of(name, kind, device, **MORE[name]), 2)

    assert_updates_agree(work, other, 1e-3)


def fitted(name, kind, device, folder):
    method = make_baseline(name)
    more = {"channels": 16} if name == "dd" else {}
    config = tiny_config(name, device=device.type, steps=10, save_every=4, log_every=1, **more)
    return method.fit(tiny_data(kind), config, folder, progress=False)


def form(folder):
    tensors, state = load_checkpoint(folder)
    forms = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
    return forms, sorted(state), sorted(path.suffix for path in (folder / "policy").iterdir())


#: Of whole runs: every method, and both kinds of action, but not all pairs.
RUNS = [("bc", "discrete"), ("cql", "box"), ("iql", "discrete"), ("dt", "box"), ("dd", "discrete")]


@pytest.mark.parametrize(("name", "kind"), RUNS)
def test_a_run_moves_between_devices_and_ends_as_one_that_stayed(place, name, kind, tmp_path):
    """There and back again, with noise of the host, and the policy acts on the CPU."""
    moving = tmp_path / "moving"
    with HostNoise():
        whole = fitted(name, kind, CPU, tmp_path / "whole")
        for device, step in ((CPU, 6), (place.device, 9)):
            with dies_after(step):
                fitted(name, kind, device, moving)
        policy = fitted(name, kind, CPU, moving)
    assert form(tmp_path / "whole") == form(moving)
    one, two = (dict(p.network.state_dict()) for p in (whole, policy))
    assert {tensor.device.type for tensor in two.values()} == {"cpu"}
    bound = 0.0 if place.exact else 1e-2
    assert_close({"all": flat(one)}, {"all": flat(two)}, bound, joint=True)
    shown = tiny_data(kind).dataset.observations[0, :, :3].swapaxes(0, 1)
    ours, theirs = whole.act_on(shown), policy.act_on(shown)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    if place.exact:
        assert np.array_equal(ours, theirs)


def flat(tensors):
    return torch.cat([tensor.flatten().float().cpu() for tensor in tensors.values()])


@pytest.mark.parametrize(("name", "kind"), RUNS)
def test_a_killed_run_ends_as_one_that_was_not(place, name, kind, tmp_path):
    """With noise of the device's own; on a GPU as in `test_gpu_training`."""

    def weights(folder):
        return flat(fitted(name, kind, place.device, tmp_path / folder).network.state_dict())

    whole, again = weights("whole"), weights("again")
    with dies_after(7):
        weights("killed")
    killed = weights("killed")
    own = float((whole - again).norm() / whole.norm())
    assert own == 0 if place.exact else own < 1e-3
    assert float((whole - killed).norm() / whole.norm()) <= (
        0 if place.exact else max(1e-6, 2 * own)
    )
