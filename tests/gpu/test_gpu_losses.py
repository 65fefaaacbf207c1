"""The joint loss on two devices, with all its parts and every parameter's gradient.

Tolerance: 1e-4 of a tensor's greatest entry for one pass; a gradient counts as no smaller than 3 %
of the greatest of the model.
"""

import pytest
import torch
from model_cases import CONFIGS, batch_for, gradients_of, random_model
from parity import assert_parity

from networld_agent.config import PRESETS


def passed(model, batch):
    losses = model.loss(batch)
    losses["loss"].backward()
    return {**losses, "gradients": gradients_of(model)}


@pytest.mark.parametrize("name", [*CONFIGS, "dynamic graph"])
def test_losses_and_gradients(other, name):
    options, dynamic = CONFIGS.get(name, {}), name == "dynamic graph"

    def work(device):
        model = random_model(device, **options)
        return passed(model, batch_for(model, device, dynamic=dynamic))

    found = assert_parity(work, other)
    missing = {n for n, _ in random_model(torch.device("cpu"), **options).named_parameters()}
    missing -= {n.removeprefix("gradients/") for n in found}
    # Predicted noise teaches no head to read plans; every other parameter has a gradient.
    assert not missing, missing


def test_losses_and_gradients_of_preset_paper(other):
    sizes = {key: getattr(PRESETS["paper"].model, key) for key in vars(PRESETS["paper"].model)}

    def work(device):
        model = random_model(device, **sizes)
        return passed(model, batch_for(model, device, windows=1, agents=3))

    assert_parity(work, other)
