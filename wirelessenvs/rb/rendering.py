"""Picture of the RB task: the frame of resource blocks, queues, ages, arrivals and service."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from wirelessenvs.rb.simulator import RBSimulator

__all__ = ["draw"]

#: RBs up to which each is labelled with its node.
_MOST_LABELS = 240
_TRAFFIC_NAMES = {"mmpp": "MMPP", "poisson": "Poisson", "bernoulli": "Bernoulli", "trace": "traced"}
_FREE = "#f1f1f1"
_LOST = "#c0392b"
_SERVED = "#2e86c1"


def draw(figure: Figure, simulator: RBSimulator, env: int = 0) -> None:
    """Clears the figure and draws the last frame of environment `env` and the queues after it."""
    figure.clear()
    figure.set_layout_engine("none")
    colors = _node_colors(simulator.num_agents)
    figure.suptitle(_title(simulator, env), fontsize=11)
    # Fixed margins: a layout engine would draw everything twice.
    rows = figure.add_gridspec(
        2, 2, left=0.07, right=0.98, top=0.88, bottom=0.09, hspace=0.5, wspace=0.17
    )
    _draw_frame(figure.add_subplot(rows[0, :]), simulator, env, colors)
    _draw_queues(figure.add_subplot(rows[1, 0]), simulator, env, colors)
    _draw_traffic(figure.add_subplot(rows[1, 1]), simulator, env)


def _node_colors(count: int) -> NDArray[np.float64]:
    if count <= 10:
        return np.array(colormaps["tab10"](np.arange(count)))
    # Neighbouring indices far apart on the colour circle.
    shuffled = (np.arange(count) * 0.618034) % 1.0
    return np.array(colormaps["hsv"](shuffled)) * (0.85, 0.85, 0.85, 1)


def _title(simulator: RBSimulator, env: int) -> str:
    config = simulator.config
    frames = int(simulator.elapsed[env])
    seconds = frames * config.frame_ms / 1000
    return (
        f"RB scheduling, {simulator.num_agents} nodes, {_TRAFFIC_NAMES[config.traffic]} traffic "
        f"at load {config.offered_load:.2f}: after {frames} frames ({seconds:.2f} s)"
    )


def _draw_frame(axes: Axes, simulator: RBSimulator, env: int, colors: NDArray[np.float64]) -> None:
    config = simulator.config
    slots, frequencies = config.num_slots, config.num_frequencies
    usage = simulator.usage(env)
    lost = usage <= -2
    frequency = np.where(lost, -2 - usage, usage)
    used = frequency >= 0
    users = np.zeros((frequencies, slots), np.int64)
    nodes, columns = np.nonzero(used)
    np.add.at(users, (frequency[nodes, columns], columns), 1)
    # Nodes that share an RB (independent in the conflict graph, or colliding) stand side by side.
    drawn = np.zeros_like(users)
    cells: list[Rectangle] = []
    faces: list[Any] = []
    label = slots * frequencies <= _MOST_LABELS
    for node, slot in zip(nodes.tolist(), columns.tolist(), strict=True):
        row = int(frequency[node, slot])
        width = 0.94 / users[row, slot]
        left = slot + 0.53 + drawn[row, slot] * width
        drawn[row, slot] += 1
        cells.append(Rectangle((left, row + 0.53), width, 0.94))
        faces.append((*colors[node][:3], 0.25) if lost[node, slot] else tuple(colors[node]))
        if label and width >= 0.2:
            axes.text(
                left + width / 2,
                row + 1,
                f"{node}×" if lost[node, slot] else f"{node}",
                ha="center",
                va="center",
                fontsize=8,
                color=_LOST if lost[node, slot] else "white",
                weight="bold",
            )
    free = [
        Rectangle((s + 0.53, f + 0.53), 0.94, 0.94)
        for f, s in zip(*np.nonzero(users == 0), strict=True)
    ]
    axes.add_collection(PatchCollection(free, facecolor=_FREE, edgecolor="none"))
    axes.add_collection(PatchCollection(cells, facecolor=faces, edgecolor="none"))
    axes.set(
        xlim=(0.4, slots + 0.6),
        ylim=(frequencies + 0.6, 0.4),
        xlabel=f"slot of the last frame ({config.frame_ms / slots:g} ms each)",
        ylabel="frequency",
    )
    axes.set_xticks(range(1, slots + 1, max(1, slots // 20)))
    axes.set_yticks(range(1, frequencies + 1, max(1, frequencies // 12)))
    granted = int(simulator.grants[env].sum())
    note = f", {int(lost.sum())} lost in collisions (×)" if lost.any() else ""
    axes.set_title(
        f"Resource blocks by node: {granted} grants on {config.num_rbs} blocks{note}; "
        f"{int((users == 0).sum())} free (grey)",
        fontsize=9,
        loc="left",
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _bars(
    axes: Axes, left: NDArray[Any], heights: NDArray[Any], width: float, base: Any = 0, **style: Any
) -> None:
    """Bars as one collection: with 40 nodes several times faster than one patch per bar."""
    low = np.broadcast_to(base, heights.shape)
    corners = [(left, low), (left + width, low), (left + width, low + heights)]
    outline = [np.stack(corner, -1) for corner in (*corners, (left, low + heights))]
    axes.add_collection(PolyCollection(list(np.stack(outline, 1).astype(np.float64)), **style))


def _draw_queues(axes: Axes, simulator: RBSimulator, env: int, colors: NDArray[np.float64]) -> None:
    queues, ages = simulator.queues[env], simulator.ages[env]
    capacity = simulator.config.queue_capacity
    longest = int(queues.max())
    _bars(axes, np.arange(len(queues)) - 0.375, queues, 0.75, facecolor=colors)
    top = 1.25 * capacity if longest > 0.35 * capacity else max(1.3 * longest, 10)
    if top > capacity:
        axes.axhline(capacity, color=_LOST, linestyle="--", linewidth=1)
        axes.text(-0.5, capacity, f"capacity {capacity}", color=_LOST, fontsize=8, va="bottom")
    if len(queues) <= 20:
        for i, (queue, age) in enumerate(zip(queues.tolist(), ages.tolist(), strict=True)):
            text = f"{age} f" if queue else "–"
            axes.text(i, queue + 0.01 * top, text, ha="center", va="bottom", fontsize=8)
    axes.set(ylim=(0, top), xlabel="node", ylabel="packets")
    axes.set_title(
        "Queue after service; above it the age of its\noldest packet in frames (f)",
        fontsize=9,
        loc="left",
    )
    _tidy(axes, len(queues))


def _draw_traffic(axes: Axes, simulator: RBSimulator, env: int) -> None:
    generated, served = simulator.generated[env], simulator.served[env]
    granted, dropped = simulator.grants[env], simulator.dropped[env]
    middle, width = np.arange(len(served)), 0.27
    idle = np.maximum(granted - served, 0)
    _bars(axes, middle - 1.5 * width, generated, width, facecolor="#7f8c8d", label="arrived")
    _bars(axes, middle - 0.5 * width, served, width, facecolor=_SERVED, label="served")
    _bars(
        axes,
        middle - 0.5 * width,
        idle,
        width,
        served,
        facecolor="white",
        edgecolor=_SERVED,
        linewidth=0.8,
        label="granted, unused",
    )
    _bars(axes, middle + 0.5 * width, dropped, width, facecolor=_LOST, label="dropped")
    highest = max(float(np.max([generated, granted, dropped])), 4.0)
    axes.set(ylim=(0, 1.45 * highest), xlabel="node", ylabel="packets, RBs")
    axes.set_title("Arrivals, service and drops\nof the last frame", fontsize=9, loc="left")
    axes.legend(fontsize=8, ncols=2, frameon=False, loc="upper left")
    _tidy(axes, len(served))


def _tidy(axes: Axes, count: int) -> None:
    axes.set_xticks(range(0, count, max(1, -(-count // 16))))
    axes.locator_params(axis="y", integer=True)
    axes.set_xlim(-0.6, count - 0.4)
    axes.spines[["top", "right"]].set_visible(False)
