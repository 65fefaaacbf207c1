"""A map of the network: cells by rate, beams as lobes, and who disturbs whom most."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from wirelessenvs.cbf.simulator import CBFSimulator

__all__ = ["draw"]

#: Pale to middle blue: beams and text must stay legible on top of every rate.
_COLORMAP = LinearSegmentedColormap.from_list("rate", ["#fbfaf3", "#d3e6ef", "#8fc1de", "#4a93c6"])
_LOBE, _SERVED, _HARM = "#f28e1c", "#2f2f2f", "#cf2027"
#: Rate at the end of the colour scale in bit/s/Hz, which few cells exceed.
_TOP_RATE = 16.0


def draw(figure: Figure, simulator: CBFSimulator, env: int = 0) -> None:
    """Draws the finished slot of one environment into a Matplotlib figure, which is cleared.

    Args:
        figure: any size; 9 by 6 inches suits 19 cells.
        simulator: after its first reset.
        env: which environment of the batch.
    """
    config, state = simulator.config, simulator._arrays
    towers, users = simulator.bs_positions, simulator.ue_positions[env]
    rate = state.features[env, :, 2]
    power = state.power_mw[env] / config.max_power_mw
    weak = max(1.0, len(towers) / 19)  # smaller marks in larger networks

    figure.clear()
    axes = figure.add_axes((0.02, 0.02, 0.68, 0.87))
    norm = Normalize(0, _TOP_RATE)
    network = config.cells
    cells = PolyCollection(network.outlines, cmap=_COLORMAP, norm=norm, edgecolors="white", lw=1.5)
    cells.set_array(rate)
    axes.add_collection(cells)
    lobes = towers[:, None] + _lobes(state.beams[env], power, network.radii_m)
    axes.add_collection(PolyCollection(list(lobes), fc=_LOBE, ec="#a65500", alpha=0.75, lw=0.8))

    served = np.stack([towers, users], axis=1)
    axes.add_collection(LineCollection(list(served), colors=_SERVED, lw=0.8, linestyles=":"))
    _draw_harm(axes, simulator, env, weak)

    axes.scatter(towers[:, 0], towers[:, 1], s=40 / weak, marker="^", c=_SERVED, zorder=3)
    axes.scatter(
        users[:, 0], users[:, 1], s=26 / weak, c="white", edgecolors=_SERVED, lw=1.2, zorder=4
    )
    for index, (x, y) in enumerate(towers):
        text = f"{index}: {rate[index]:.1f}"
        place = (x, y - 0.82 * network.radii_m[index])
        axes.annotate(text, place, ha="center", va="bottom", size=8 / weak**0.5)
    reach = float(network.radii_m.max())
    shown = np.concatenate([towers, *network.outlines])
    low, high = network.box[0] - 1.2 * reach, network.box[1] + 1.2 * reach
    low, high = np.minimum(low, shown.min(0)), np.maximum(high, shown.max(0))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.set_axis_off()

    figure.text(0.02, 0.945, "Coordinated beamforming", size=13, weight="bold")
    slot = f"slot {simulator.elapsed[env]}"
    summary = f"{slot}   mean rate {rate.mean():.2f} bit/s/Hz   mean power {power.mean():.0%}"
    figure.text(0.02, 0.905, summary, size=10)
    bar_axes = figure.add_axes((0.74, 0.09, 0.02, 0.45))
    bar = figure.colorbar(ScalarMappable(norm, _COLORMAP), cax=bar_axes, extend="max")
    bar.set_label("rate of the cell (bit/s/Hz)")
    length = 2 * reach if config.sites is None else _round_length(2 * reach)
    axes.plot([low[0], low[0] + length], 2 * [low[1]], c="black", lw=2)
    axes.annotate(f"{length:g} m", (low[0] + length / 2, low[1]), (0, 3),
                  textcoords="offset points", ha="center", size=8)  # fmt: skip
    handles = [
        Line2D([], [], marker="^", ls="", c=_SERVED, label="base station"),
        Line2D([], [], marker="o", ls="", mfc="white", mec=_SERVED, label="user"),
        Line2D([], [], c=_SERVED, lw=0.8, ls=":", label="served by"),
        Patch(fc=_LOBE, ec="#a65500", alpha=0.75, label="power radiated by direction"),
        Line2D([], [], c=_HARM, lw=2, label="strongest interferer\n(wider: worse SINR)"),
    ]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.71, 0.90), frameon=False,
                  fontsize=9)  # fmt: skip


def _round_length(length_m: float) -> float:
    """The first of 1, 2, 5, 10, ... that is as long."""
    power = 10.0 ** np.floor(np.log10(length_m))
    return float(power * next(step for step in (1, 2, 5, 10) if step * power >= length_m))


def _lobes(
    beams: NDArray[np.float64], power: NDArray[np.float64], radii_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`(K, 181, 2)` outlines with the radiated power of a direction as their radius.

    The linear array lies along the x axis, so that every beam has a mirror image below it.
    """
    angle = np.linspace(0, 2 * np.pi, 181)
    antennas = beams.shape[1]
    phase = np.pi * np.arange(antennas)[:, None] * np.cos(angle)
    response = np.exp(1j * phase) / np.sqrt(antennas)
    gain = np.abs((beams[0] + 1j * beams[1]).T @ response) ** 2
    reach = radii_m[:, None] * power[:, None] * gain
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=-1)


def _draw_harm(axes, simulator: CBFSimulator, env: int, weak: float) -> None:  # type: ignore[no-untyped-def]
    """A line from every cell's strongest interferer to its user, unless it is below the noise."""
    state, config = simulator._arrays, simulator.config
    source = state.interferers[env, :, 0]
    harm_mw = state.features[env, :, 8]  # received from the strongest interferer
    audible = (source >= 0) & (harm_mw > config.noise_mw)
    # From 3.5 points at a rate of zero to 0.5 where the signal is about 40 dB stronger.
    width = 0.5 + 3 * np.clip(1 - state.features[env, :, 2] / 13, 0, 1)
    lines = np.stack([simulator.bs_positions[source], simulator.ue_positions[env]], axis=1)
    shown = LineCollection(
        list(lines[audible]), colors=_HARM, alpha=0.75, linewidths=width[audible] / weak**0.5
    )
    axes.add_collection(shown)
