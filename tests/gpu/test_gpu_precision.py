"""Fewer bits than float32: TensorFloat32 in products, bfloat16 in training.

Tolerances: TensorFloat32, 3e-3 of a loss and 3e-2 of the length of a gradient. bfloat16: losses of
200 steps, smoothed over 25, within 5 % of float32's on the GPU and on the CPU, or 0.05.
"""

import numpy as np
import pytest
import torch
from model_cases import CONFIGS, batch_for, gradients_of, random_model
from parity import CPU, TF32_OTHERS, Other, assert_close, on_side
from planner_cases import planner_of, ring, scene
from run_cases import log_of, run_of

STEPS, SPAN = 200, 25
LOSSES = ("loss", "diffusion", "classifier", "inverse", "planned_action", "behaviour")


@pytest.mark.usefixtures("tf32")
@pytest.mark.parametrize("other", TF32_OTHERS)
@pytest.mark.parametrize("name", ["default", "separate classifier", "velocity"])
def test_losses_and_gradients_in_tf32(other, name):
    def work(device):
        model = random_model(device, **CONFIGS[name])
        losses = model.loss(batch_for(model, device))
        losses["loss"].backward()
        return {"gradients": gradients_of(model), **{k: v.reshape(1) for k, v in losses.items()}}

    here, there = on_side(work, Other("cpu")), on_side(work, other)
    gradients = [{n: t for n, t in side.items() if "/" in n} for side in (here, there)]
    losses = [{n: t for n, t in side.items() if "/" not in n} for side in (here, there)]
    assert_close(*losses, 3e-3)
    assert_close(*gradients, 3e-2, joint=True)
    with pytest.raises(AssertionError, match="differ by more"):
        # Fewer bits were really used.
        assert_close(*gradients, 1e-5, joint=True)


@pytest.mark.usefixtures("tf32")
@pytest.mark.parametrize("other", TF32_OTHERS)
def test_plans_in_tf32(other):
    def work(device):
        planner = planner_of(device, "cbf-v0", plan_mode="none")
        planner.act(scene(), ring(16))
        return planner.plans

    assert_close(on_side(work, Other("cpu")), on_side(work, other), 1e-2)


def curves(folder):
    """`(losses, STEPS / SPAN)` smoothed."""
    lines = log_of(folder)
    found = np.array([[line[name] for line in lines] for name in LOSSES])
    return found.reshape(len(LOSSES), -1, SPAN).mean(-1)


def in_band(one, two):
    return bool((np.abs(one - two) <= np.maximum(0.05 * np.abs(one), 0.05)).all())


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Losses of float32 on the CPU."""
    return curves(run_of(CPU, tmp_path_factory.mktemp("curve"), STEPS, validate_every=1000))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_loss_curves_on_cuda_stay_in_the_band(reference, tmp_path):
    found = {}
    for precision in ("fp32", "bf16"):
        folder, device = tmp_path / precision, torch.device("cuda")
        options = {"validate_every": 1000, "precision": precision}
        found[precision] = curves(run_of(device, folder, STEPS, **options))
        assert in_band(reference, found[precision]), (precision, found[precision] / reference)
    assert in_band(found["fp32"], found["bf16"])
    assert not np.array_equal(found["fp32"], found["bf16"])


def short_curves(folder, device=CPU, **options):
    return curves(run_of(device, folder, 2 * SPAN, validate_every=1000, decay="none", **options))


@pytest.fixture(scope="module")
def short_reference(tmp_path_factory):
    """The same, of fewer steps."""
    return short_curves(tmp_path_factory.mktemp("curve"))


def test_the_band_holds_a_run_with_the_bits_of_bfloat16(short_reference, tmp_path):
    found = on_side(lambda device: short_curves(tmp_path, device), Other("bf16"), host=True)
    assert in_band(short_reference, found[""].numpy())
    assert not np.array_equal(short_reference, found[""].numpy())


def test_the_band_tells_another_learning_rate(short_reference, tmp_path):
    assert not in_band(short_reference, short_curves(tmp_path, learning_rate=3e-4))
