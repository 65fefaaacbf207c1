"""Pictures: quick, of any configuration, and of what the simulator did."""

import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wirelessenvs.rb import POLICIES, RBConfig, RBSimulator, draw


def picture(config, policy="demand-mean", env=1):
    simulator = RBSimulator(config, 2)
    play = POLICIES[policy](simulator.spec, 2)
    observations = simulator.reset(0)
    for _ in range(12):
        observations = simulator.step(play(observations)).observations
    figure = Figure(figsize=(9, 6))
    canvas = FigureCanvasAgg(figure)
    draw(figure, simulator, env)
    canvas.draw()
    return simulator, figure, np.asarray(canvas.buffer_rgba())


@pytest.mark.parametrize(
    "config",
    [
        RBConfig(num_nodes=9),
        RBConfig.from_preset("conflict"),
        RBConfig(arbitration="collision", mean_rate=1.0),
        RBConfig(num_nodes=40, load=0.9),
        RBConfig(num_slots=100, num_frequencies=10, load=0.3),
    ],
)
def test_every_kind_of_configuration_is_drawn(config):
    _, figure, pixels = picture(config)
    assert len(figure.axes) == 3
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 20


def test_picture_says_what_happened():
    simulator, figure, _ = picture(RBConfig(num_nodes=9))
    blocks, queues, traffic = figure.axes
    assert "after 12 frames (0.30 s)" in figure.get_suptitle()
    assert f"{simulator.grants[1].sum()} grants on 40 blocks" in blocks.get_title(loc="left")
    labels = sorted(int(text.get_text()) for text in blocks.texts)
    assert labels == sorted(np.repeat(np.arange(9), simulator.grants[1]).tolist())
    heights = [path.vertices[:, 1].max() for path in queues.collections[0].get_paths()]
    assert heights == simulator.queues[1].tolist()
    legend = [text.get_text() for text in traffic.get_legend().get_texts()]
    assert legend == ["arrived", "served", "granted, unused", "dropped"]


def test_a_fresh_environment_is_drawn_too():
    simulator = RBSimulator()
    simulator.reset(0)
    figure = Figure()
    draw(figure, simulator)
    assert "after 0 frames" in figure.get_suptitle()


def test_drawing_again_replaces_the_picture():
    simulator, figure, _ = picture(RBConfig())
    draw(figure, simulator, 0)
    assert len(figure.axes) == 3


def test_the_package_needs_matplotlib_only_to_draw():
    code = "import sys, wirelessenvs.rb; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_is_quick():
    simulator, figure, _ = picture(RBConfig(num_nodes=9))
    taken = []
    for _ in range(3):  # the least: a busy host only ever adds to it
        start = time.process_time()
        draw(figure, simulator)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.3
