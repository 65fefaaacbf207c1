"""The training loop's log, its checkpoint's tensors, and the threads that it may use."""

import json

import pytest
import torch
from baseline_cases import tiny_config
from torch import nn

from benchmarks.baselines.shared.learner_state import learner_tensors, restore_learner
from benchmarks.baselines.shared.torch_threads import torch_threads
from benchmarks.baselines.shared.training_loop import DivergenceError, Learner, add_values, train


class TwoOptimizers(Learner):
    """Two layers, each with an optimiser of its own; what it logs is the step's square."""

    def __init__(self):
        self.module = nn.ModuleDict({"first": nn.Linear(3, 2), "second": nn.Linear(2, 1)})
        self.optimizers = [
            torch.optim.Adam(layer.parameters(), lr=rate)
            for layer, rate in zip(self.module.values(), (0.1, 0.01), strict=True)
        ]

    @property
    def actor(self):
        return self.module["first"]

    def batch(self, step):
        return torch.full((4, 3), float(step))

    def update(self, batch, step):
        loss = self.module["second"](self.module["first"](batch)).square().mean()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return {"square": torch.tensor(float(step**2))}


def test_a_line_of_the_log_is_the_mean_since_the_last_one(tmp_path):
    train(TwoOptimizers(), tiny_config("bc", steps=8, log_every=3), tmp_path, progress=False)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    # Squares of 0 to 2, of 3 to 5, of 6 and 7.
    found = [(line["step"], line["square"]) for line in lines]
    assert found == [(3, pytest.approx(5 / 3)), (6, pytest.approx(50 / 3)), (8, 42.5)]


def test_values_are_added_and_what_is_not_finite_is_said_with_its_step():
    sums = {"loss": 1.0}
    add_values(sums, {"loss": 2.0, "entropy": 0.5}, 4)
    assert sums == {"loss": 3.0, "entropy": 0.5}
    with pytest.raises(DivergenceError, match=r"at step 5: loss nan, entropy 0.5\."):
        add_values(sums, {"loss": float("nan"), "entropy": 0.5}, 5)


def test_a_learner_goes_on_as_the_one_its_tensors_are_of():
    torch.manual_seed(0)
    one, other = TwoOptimizers(), TwoOptimizers()
    for step in range(3):
        one.update(one.batch(step), step)
    tensors = {name: value.clone() for name, value in learner_tensors(one).items()}
    # Weights and biases of two layers, each with two moments and a counter.
    assert len(tensors) == 4 * (1 + 3)
    restore_learner(other, {**tensors, "memory.of_others": torch.zeros(1)})
    for learner in (one, other):
        learner.update(learner.batch(3), 3)
    kept, restored = learner_tensors(one), learner_tensors(other)
    assert kept.keys() == restored.keys()
    assert all(torch.equal(kept[name], restored[name]) for name in kept)
    assert not torch.equal(kept["module.first.weight"], tensors["module.first.weight"])


def test_threads_are_put_back_after_a_fault_too():
    before = torch.get_num_threads()

    @torch_threads(before + 1)
    def faulty():
        assert torch.get_num_threads() == before + 1
        raise ValueError("fault")

    with pytest.raises(ValueError, match="fault"):
        faulty()
    assert torch.get_num_threads() == before
    with torch_threads(0):
        assert torch.get_num_threads() == before
