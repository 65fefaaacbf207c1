"""Training runs on two devices, by what they write: losses, weights, checkpoints.

Tolerances, products in whole float32: losses of the first step 1e-4 and of 20 steps 1e-3 of the
greatest of their kind. Weights are compared by how far they have moved, as one vector: 1 % after
one step of Adam, which is the sign of every gradient, and after twenty.
"""

import json

import pytest
import torch
from dataset_cases import small_dataset
from parity import CPU, Other, assert_close, on_side
from run_cases import MODEL, checkpoint_of, dies_after, log_of, run_of, sources
from training_cases import QUICK

from networld_agent import pretrain
from networld_agent.model import WorldModel
from networld_agent.planning import Planner
from networld_agent.training.batches import BatchSampler
from networld_agent.training.checkpoints import optimizer_tensors, restore_optimizer
from networld_agent.training.pretraining import fresh_model

#: Of the way that all weights together have moved.
MOVED = 0.01


def outcome(folder):
    """Losses, and where the tensors of the checkpoint have moved from the initial weights."""
    tensors, state = checkpoint_of(folder)
    start = fresh_model(sources(), MODEL, seed=0).state_dict()
    losses, moved = {}, {}
    for line in log_of(folder):
        for name, value in line.items():
            # Ranks and variances of the latents have tolerances of their own elsewhere.
            if not name.startswith("latent"):
                losses.setdefault(name, []).append(value)
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "adam":
            kind, _, rest = rest.partition(".")
            moved.setdefault(kind, {})[rest] = tensor
        else:
            moved.setdefault(kind, {})[rest] = tensor - start[rest]
    return losses, moved, state


@pytest.mark.parametrize("steps", [1, 20])
def test_losses_and_weights_after_some_steps(other, steps, tmp_path_factory):
    def work(device):
        losses, moved, state = outcome(run_of(device, tmp_path_factory.mktemp("run"), steps))
        return {
            "losses": losses, "moved": moved, "step": state["step"], "best": state["best_step"],
        }  # fmt: skip

    here, there = (on_side(work, side, host=True) for side in (Other("cpu"), other))
    assert any(name.startswith("losses/held_out") for name in here) == (steps >= 5)
    for kind, relative, joint in (("losses", 1e-4 if steps == 1 else 1e-3, False),
                                  ("moved", MOVED, True)):  # fmt: skip
        # One level down, so that losses of a kind, and moments, are groups.
        pair = [
            {n.partition("/")[2]: t for n, t in side.items() if n.startswith(f"{kind}/")}
            for side in (here, there)
        ]
        assert_close(*pair, 0.0 if other.exact else relative, joint=joint)
    assert here["step"] == there["step"] == steps


def form(folder):
    tensors, state = checkpoint_of(folder)
    model = json.loads((folder / "model.json").read_text())
    return (
        {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()},
        sorted(state),
        sorted(model),
        model["config"],
        model["tasks"],
    )


def test_files_have_the_same_form(place, tmp_path):
    here = run_of(CPU, tmp_path / "here", steps=3)
    there = run_of(place.device, tmp_path / "there", steps=3)
    assert form(here) == form(there)


@pytest.mark.parametrize("way", ["from the cpu", "to the cpu"])
def test_a_checkpoint_goes_on_on_the_other_device(place, way, tmp_path):
    whole, moving = run_of(CPU, tmp_path / "whole"), tmp_path / "moving"
    first, second = (CPU, place.device) if way == "from the cpu" else (place.device, CPU)
    with dies_after(12):
        run_of(first, moving)
    assert checkpoint_of(moving)[1]["step"] == 10
    run_of(second, moving)
    losses, moved, state = outcome(moving)
    wanted, wanted_moved, _ = outcome(whole)
    assert state["step"] == 20
    for name, values in wanted.items():
        expected = pytest.approx(values, rel=0 if place.exact else 1e-3, abs=0)
        assert losses[name] == expected, name
    for kind, tensors in wanted_moved.items():
        assert_close(
            {f"{kind}/{n}": t for n, t in tensors.items()},
            {f"{kind}/{n}": t for n, t in moved[kind].items()},
            0.0 if place.exact else MOVED,
            joint=True,
        )


def tensors_apart(one, two):
    """Length of the difference of two checkpoints, over that of one."""
    one, two = checkpoint_of(one)[0], checkpoint_of(two)[0]
    assert one.keys() == two.keys()
    assert all(torch.equal(one[n], two[n]) for n in one if n.startswith("adam.step"))
    names = [name for name in one if not name.startswith("adam.step")]
    pairs = [(one[name].double(), two[name].double()) for name in names]
    apart = sum(float((a - b).square().sum()) for a, b in pairs) ** 0.5
    return apart / sum(float(a.square().sum()) for a, _ in pairs) ** 0.5


def test_a_killed_run_ends_as_one_that_was_not(place, tmp_path):
    """On a GPU within 1e-6, or twice what two whole runs are apart, if its sums have no order."""
    whole, again = (run_of(place.device, tmp_path / name) for name in ("whole", "again"))
    killed = tmp_path / "killed"
    for step in (3, 8, 19):
        with dies_after(step):
            run_of(place.device, killed)
    run_of(place.device, killed)
    own = tensors_apart(whole, again)
    if place.device.type == "cpu":
        assert own == tensors_apart(whole, killed) == 0
        assert log_of(killed) == log_of(whole)
    assert own < 1e-3
    assert tensors_apart(whole, killed) <= max(1e-6, 2 * own)
    elsewhere = run_of(place.device, tmp_path / "another", seed=1)
    assert tensors_apart(whole, elsewhere) > 1e-3


def test_a_trained_model_loads_on_either_device(place, tmp_path):
    run_of(place.device, tmp_path, steps=3)
    here, there = (WorldModel.load(tmp_path, device) for device in (CPU, place.device))
    places = {tensor.device.type for tensor in (*there.parameters(), *there.buffers())}
    assert places == {place.device.type}
    assert {t.device.type for t in (*here.parameters(), *here.buffers())} == {"cpu"}
    for name, tensor in here.state_dict().items():
        assert torch.equal(tensor, there.state_dict()[name].cpu()), name
    data = sources()[0].dataset
    shown, graph = data.observations[0, :, 3].copy(), data.graph
    for device in ("cpu", place.device.type):
        actions = Planner.load(tmp_path, "rb-v0", device=device).act(shown, graph)
        assert actions.shape == (data.num_agents,)


def test_the_command_trains_on_the_device(place, tmp_path):
    folders = []
    for device in ("cpu", place.device.type):
        folders.append(tmp_path / f"{len(folders)}")
        words = ["--data", str(small_dataset("rb-v0")), "--out", str(folders[-1]), *QUICK]
        more = ["--steps=10", "--device", device, "--set=precision=fp32"]
        assert pretrain.main([*words, *more]) == 0
    one, two = (log_of(folder)[-1] for folder in folders)
    assert one == pytest.approx(two, rel=1e-2)
    WorldModel.load(folders[1])


def test_batches_are_the_same_bits(place):
    def work(device):
        batch = BatchSampler(sources(), MODEL, 64, seed=3)(7).to(device)
        parts = {part.task: vars(part).copy() for part in batch.parts}
        weights = [part.pop("weight") for part in parts.values()]
        assert list(parts) == [part.pop("task") for part in parts.values()]
        assert sum(weights) > 0
        return {"tau": batch.tau, "noise": batch.noise, **parts}

    here, there = (on_side(work, side) for side in (Other("cpu"), place))
    assert_close(here, there, 0.0)


def test_adam_goes_on_from_a_checkpoint_of_the_cpu(place):
    """Moments and counters lie where the fused optimiser keeps them, and the next step is alike."""

    def stepped(weight, optimizer, count):
        for k in range(count):
            weight.grad = torch.linspace(-1, 1 + k, 6, device=weight.device)
            optimizer.step()

    def fresh(device):
        weight = torch.nn.Parameter(torch.ones(6, device=device))
        return weight, torch.optim.Adam([weight], 0.1, fused=True)

    first, adam = fresh(CPU)
    stepped(first, adam, 3)
    saved = {k: v.clone() for k, v in optimizer_tensors(adam, {first: "w"}).items()}
    weight, optimizer = fresh(place.device)
    weight.data.copy_(first.data)
    restore_optimizer(optimizer, {weight: "w"}, saved)
    assert {value.device.type for value in optimizer.state[weight].values()} == {place.device.type}
    stepped(first, adam, 2)
    stepped(weight, optimizer, 2)
    torch.testing.assert_close(weight.data.cpu(), first.data, rtol=1e-6, atol=1e-6)
