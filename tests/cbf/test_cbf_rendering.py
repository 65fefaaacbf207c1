"""Drawing: quick, complete, and no Matplotlib before it is wanted."""

import subprocess
import sys
import time

import numpy as np
import pytest

from wirelessenvs.cbf import POLICIES, CBFConfig, CBFSimulator, draw

figures = pytest.importorskip("matplotlib.figure")
agg = pytest.importorskip("matplotlib.backends.backend_agg")


def pixels(figure):
    canvas = agg.FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_importing_the_task_does_not_import_matplotlib():
    code = "import sys, wirelessenvs.cbf; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "overrides", [{}, {"action": "beam", "num_antennas": 5}, {"num_cells": 61}]
)
def test_picture_shows_cells_scale_and_units(overrides):
    simulator = CBFSimulator(CBFConfig(layout_seed=None, **overrides), 2)
    observations = simulator.reset(0)
    policy = POLICIES["random"](simulator.spec, 2)
    simulator.step(policy(observations))
    figure = figures.Figure((9, 6))
    draw(figure, simulator, env=1)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    rates = simulator._arrays.features[1, :, 2]
    for cell, rate in enumerate(rates):
        assert f"{cell}: {rate:.1f}" in texts
    assert "400 m" in texts
    assert figure.axes[1].get_ylabel() == "rate of the cell (bit/s/Hz)"
    first = pixels(figure).copy()
    draw(figure, simulator, env=0)  # the same figure again: cleared, not drawn over
    assert len(figure.axes) == 2
    assert not np.array_equal(first, pixels(figure))


def test_drawing_is_quick_and_changes_nothing():
    simulator = CBFSimulator(CBFConfig())
    observations = simulator.reset(0)
    figure = figures.Figure((9, 6))
    draw(figure, simulator)
    start = time.process_time()
    draw(figure, simulator)
    pixels(figure)
    assert time.process_time() - start < 1.0  # 0.07 s on a 2.5 GHz core
    np.testing.assert_array_equal(simulator._observe(), observations)
