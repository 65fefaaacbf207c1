"""The picture."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator, draw


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


@pytest.mark.parametrize("preset", ["small", "single-bs", "lstm-a2c"])
def test_drawing_shows_what_changes_and_only_that(preset):
    simulator = SlicingSimulator(SlicingConfig.from_preset(preset), 2)
    simulator.reset(1)
    figure = Figure(figsize=(9, 6), dpi=60)
    draw(figure, simulator, 0)
    first = pixels(figure)
    draw(figure, simulator, 0)
    assert np.array_equal(first, pixels(figure))
    draw(figure, simulator, 1)
    assert not np.array_equal(first, pixels(figure))
    state = simulator.state()
    simulator.step(np.broadcast_to([2e6, 6e6, 2e6], (2, simulator.num_agents, 3)))
    assert not np.array_equal(state, simulator.state())
    draw(figure, simulator, 0)
    assert not np.array_equal(first, pixels(figure))


def test_legends_title_and_units_are_there():
    simulator = SlicingSimulator(SlicingConfig.from_preset("small"))
    simulator.reset(1)
    figure = Figure(figsize=(9, 6))
    draw(figure, simulator)
    labels = {axes.get_ylabel() for axes in figure.axes}
    assert {"bandwidth in MHz", "packets in the window", "SSR", "y in m"} <= labels
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["VoLTE user", "video user", "URLLC user"]
    assert "7 cells, 500 users" in figure.get_suptitle()


def test_importing_the_task_does_not_import_matplotlib():
    code = "import sys, wirelessenvs.slicing; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
