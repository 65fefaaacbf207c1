"""A picture of the network: users on the map, and split, demand and satisfaction per cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Wedge

from wirelessenvs.slicing.simulator import SlicingSimulator

__all__ = ["draw"]

_NAMES = {"volte": "VoLTE", "urllc": "URLLC"}
_COLOURS = ("#0072b2", "#e69f00", "#cc3377")
#: Of more slices, in turn: as far apart as the eye tells them, and none of them red or green alone.
_MORE = (
    "#56b4e9", "#009e73", "#7f3c8d", "#f0e442", "#8c564b", "#17becf", "#d55e00", "#999999",
    "#000000", "#bcbd22", "#9edae5", "#c49c94", "#393b79",
)  # fmt: skip
_SSR = Normalize(0.0, 1.0)
_MAP = colormaps["RdYlGn"]


def draw(figure: Figure, simulator: SlicingSimulator, env: int = 0) -> None:
    """Draws environment `env`: the map on the left, one column of bars per cell on the right.

    A cell is tinted by the mean satisfaction ratio of its last window. Its ring shows the split of
    the band: a slice's one colour marks its users, bandwidth, packets and satisfaction.

    Args:
        figure: is cleared first.
        simulator: after a reset.
        env: which environment of the batch.
    """
    figure.clear()
    figure.set_layout_engine("none")
    config = simulator.config
    window_s = config.slots_per_window * config.slot_s
    cells = "1 cell" if simulator.num_agents == 1 else f"{simulator.num_agents} cells"
    window = int(simulator.elapsed[env])
    figure.suptitle(
        f"Slicing: {cells}, {config.num_users} users, window {window} ({window_s:g} s each), "
        f"mean SSR {simulator.ssr[env].mean():.3f}",
        fontsize=12,
        y=0.98,
    )
    users = _draw_map(figure, simulator, env)
    axes = [figure.add_axes((0.58, bottom, 0.405, 0.225)) for bottom in (0.655, 0.375, 0.095)]
    _draw_bars(axes, simulator, env)
    _draw_legends(figure, users, axes[0], _layout(simulator))


def _legend(simulator: SlicingSimulator) -> list[tuple[str, str]]:
    """Name and colour of each slice."""
    names = [_NAMES.get(name, name) for name in simulator.config.slice_names]
    return list(zip(names, _COLOURS + _MORE, strict=False))


def _layout(simulator: SlicingSimulator) -> dict[str, Any]:
    """Columns and sizes of a legend that has room above its panel."""
    k = simulator.num_slices
    if k <= 4:
        return {"ncols": k, "fontsize": 8, "frameon": False}
    rows, size = (2, 8) if k <= 8 else (3, 6)
    return {"ncols": math.ceil(k / rows), "fontsize": size, "frameon": False, "labelspacing": 0.2,
            "columnspacing": 1.0}  # fmt: skip


def _draw_legends(figure: Figure, users: Axes, bars: Axes, layout: dict[str, Any]) -> None:
    """A legend above the map and one above the bars; one above both where names are long."""
    marks = layout | {"markerscale": 2.5, "handletextpad": 0.1}
    if "columnspacing" in layout:  # several rows, which grow upwards
        above = users.legend(loc="lower center", bbox_to_anchor=(0.5, 0.985), **marks)
    else:
        above = users.legend(loc="upper center", bbox_to_anchor=(0.5, 1.085), **marks)
    beside = bars.legend(loc="lower center", bbox_to_anchor=(0.5, 0.98), **layout)
    # What is left and right of the panels' middles, without touching.
    if _width(figure, above) <= 0.55 and _width(figure, beside) <= 0.42:
        return
    above.remove()
    beside.remove()
    layout |= {"loc": "lower center", "bbox_to_anchor": (0.5, 0.88), "columnspacing": 1.0}
    handles, _ = bars.get_legend_handles_labels()
    shared = figure.legend(handles=handles, **layout)
    if (width := _width(figure, shared)) > 0.98:
        shared.remove()
        # A legend is about as wide as its letters are large: hinting rounds them to whole pixels.
        figure.legend(handles=handles, **layout | {"fontsize": layout["fontsize"] * 0.9 / width})


def _width(figure: Figure, legend: Legend) -> float:
    """Of a legend, as a share of the figure's."""
    return float(legend.get_window_extent().width / figure.bbox.width)


def _draw_map(figure: Figure, simulator: SlicingSimulator, env: int) -> Axes:
    axes = figure.add_axes((0.055, 0.155, 0.455, 0.73))
    cells, centre = simulator.config.cells, simulator.centre
    satisfaction = simulator.ssr[env].mean(-1)
    colours = _MAP(_SSR(satisfaction), alpha=0.4)
    axes.add_collection(PolyCollection(cells.outlines, facecolors=colours, edgecolors="0.45"))
    size = 5.0 if simulator.config.num_users > 1000 else 9.0
    slices = _legend(simulator)
    for s, (name, colour) in enumerate(slices):
        x, y = (simulator.positions[env, simulator.slices[env] == s] + centre).T
        axes.scatter(x, y, s=size, c=colour, linewidths=0, label=f"{name} user", alpha=0.75)
    wedges, shades = [], []
    shares = simulator.allocation[env] / simulator.num_units * 360.0
    # Of a hexagon, this is 0.36 times its circumradius.
    rings = 0.36 * cells.radii_m / np.cos(np.pi / 6)
    for site, angles, outer in zip(cells.sites, shares, rings, strict=True):
        start = 90.0
        for angle, (_, colour) in zip(angles, slices, strict=True):
            wedges.append(Wedge(tuple(site), outer, start - angle, start, width=0.45 * outer))
            shades.append(colour)
            start -= angle
    axes.add_collection(
        PatchCollection(wedges, facecolors=shades, edgecolors="white", linewidths=0.6, zorder=3)
    )
    small = simulator.num_agents > 19
    for index, site in enumerate(cells.sites):
        axes.text(
            site[0],
            site[1],
            str(index),
            ha="center",
            va="center",
            fontsize=5 if small else 7,
            zorder=4,
        )
    margin = simulator.config.cell_radius_m
    half = 1.02 * np.maximum(simulator.box_half, np.abs(simulator.sites).max(0) + margin)
    axes.set_xlim(centre[0] - half[0], centre[0] + half[0])
    axes.set_ylim(centre[1] - half[1], centre[1] + half[1])
    axes.set_aspect("equal")
    axes.tick_params(labelsize=7, length=2, pad=2)
    axes.set_xlabel("x in m", fontsize=8, labelpad=1)
    axes.set_ylabel("y in m", fontsize=8, labelpad=0)
    scale = figure.add_axes((0.145, 0.07, 0.275, 0.018))
    bar = figure.colorbar(ScalarMappable(_SSR, _MAP), cax=scale, orientation="horizontal")
    if bar.solids is not None:
        bar.solids.set_alpha(0.4)
    bar.set_label("tint: mean SLA satisfaction ratio (SSR); ring: split of the band",
                  fontsize=8, labelpad=1)  # fmt: skip
    bar.ax.tick_params(labelsize=7, length=2, pad=1)
    return axes


def _draw_bars(axes: list[Axes], simulator: SlicingSimulator, env: int) -> None:
    cells = np.arange(simulator.num_agents)
    megahertz = simulator.allocation[env] * (simulator.config.unit_hz / 1e6)
    demand = simulator.demand_history[env, 0]
    below = np.zeros(cells.size)
    k = simulator.num_slices
    for s, (name, colour) in enumerate(_legend(simulator)):
        axes[0].bar(cells, megahertz[:, s], 0.8, bottom=below, color=colour, label=name)
        below += megahertz[:, s]
        offset = cells + (s - (k - 1) / 2) * (0.81 / k)
        axes[1].bar(offset, np.maximum(demand[:, s], 0.5), 0.75 / k, color=colour)
        axes[2].bar(offset, simulator.ssr[env, :, s], 0.75 / k, color=colour)
    axes[0].set_ylabel("bandwidth in MHz", fontsize=8)
    axes[0].set_ylim(0.0, simulator.config.bandwidth_hz / 1e6)
    axes[1].set_ylabel("packets in the window", fontsize=8)
    axes[1].set_yscale("log")
    axes[1].set_ylim(0.5, 2.0 * max(1.0, demand.max()))
    axes[2].set_ylabel("SSR", fontsize=8)
    axes[2].set_ylim(0.0, 1.05)
    axes[2].set_xlabel("cell", fontsize=8)
    for panel in axes:
        panel.set_xlim(-0.6, cells.size - 0.4)
        panel.tick_params(labelsize=7, length=2)
        panel.set_xticks(cells if cells.size <= 19 else cells[::5])
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", alpha=0.3, linewidth=0.5)
        panel.set_axisbelow(True)
