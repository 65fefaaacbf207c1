"""Names and units of observation entries, actions and metrics of this project's tasks.

The spaces of an environment have no names. Tables by task, as in the manuals of the environments;
an unknown environment, or one whose size does not fit, gets numbered entries.
"""

from __future__ import annotations

from typing import Any

from networld_agent.data.metadata import Quantity
from wirelessenvs.context import Context

__all__ = ["action_labels", "metric_labels", "observation_labels"]

Labels = list[Quantity]

_METRIC_UNITS = {
    "rate": "bit/s/Hz", "power": "full power", "interference_db": "dB over noise",
    "sinr_db": "dB",
    "served": "packets", "waited": "packets", "dropped": "packets", "generated": "packets",
    "wasted": "RBs", "granted": "RBs",
}  # fmt: skip


def observation_labels(task: str, config: Any, size: int, context: Context | None = None) -> Labels:
    """One name and unit per entry of an observation.

    Args:
        task: id.
        config: of the task; None of another environment.
        size: entries.
        context: of the environment, whose entries come last where `config.context` is set.
    """
    labels: Labels = []
    if task == "cbf-v0":
        labels = _beamforming(config)
    elif task == "rb-v0":
        share = config.units == "fair-share"
        packets, rbs = ("fair share",) * 2 if share else ("packets", "RBs")
        labels = [
            Quantity("generated", packets), Quantity("queue", packets),
            Quantity("granted", rbs), Quantity("age", "frames"),
        ]  # fmt: skip
        labels = labels[: 4 if config.observation == "full" else 2]
    elif task == "slicing-v0":
        labels = _slicing(config)
    if context is not None and config.context:
        labels += map(Quantity, context.names, context.units)
    if len(labels) == size:
        return labels
    return [Quantity(f"entry_{i}", "") for i in range(size)]


def _beamforming(config: Any) -> Labels:
    log = config.observation == "log"
    gain, power, noise = ("50 dB over noise",) * 3 if log else ("1e-9", "1e-9 mW", "1e-7 mW")
    labels = [
        Quantity("power", "full power"),
        Quantity("beam", "index"),
        Quantity("rate", "5 bit/s/Hz"),
        Quantity("gain", gain),
        Quantity("gain_before", gain),
        Quantity("interference", noise),
        Quantity("interference_before", noise),
    ]
    for when in ("", "_before"):
        for u in range(config.num_interferers):
            name = f"interferer_{u}{when}"
            labels += [
                Quantity(f"{name}_index", "share of the last index"),
                Quantity(f"{name}_received", power),
                Quantity(f"{name}_beam", "index"),
                Quantity(f"{name}_rate", "5 bit/s/Hz"),
            ]
    for u in range(config.num_interferers):
        name = f"interfered_{u}"
        labels += [
            Quantity(f"{name}_gain", gain),
            Quantity(f"{name}_rate", "5 bit/s/Hz"),
            Quantity(f"{name}_share", "of its interference"),
        ]
    if config.observation == "sweep":
        labels += [Quantity(f"sweep_{q}_gain", gain) for q in range(config.num_beams)]
    return labels


def _slicing(config: Any) -> Labels:
    slices = config.slice_names
    labels = [
        Quantity(f"demand_{name}" + ("" if age == 0 else f"_before_{age}"), "packets")
        for age in range(config.history)
        for name in slices
    ]
    if config.observation == "full":
        labels += [Quantity(f"allocation_{name}", "MHz") for name in slices]
        labels += [Quantity(f"ssr_{name}", "ratio") for name in slices]
    return labels


def action_labels(task: str, config: Any, size: int) -> Labels:
    """One name and unit per component of an action."""
    labels: Labels = []
    if task == "cbf-v0":
        if config.action == "codebook":
            labels = [Quantity("codeword_and_power", "beam * levels + level")]
        else:
            parts = [f"{part}_{n}" for part in ("re", "im") for n in range(config.num_antennas)]
            labels = [Quantity(name, "sqrt(mW)") for name in parts]
    elif task == "rb-v0":
        unit = "fair share" if config.units == "fair-share" else "RBs"
        labels = [Quantity("requested", unit)]
    elif task == "slicing-v0":
        if config.action == "continuous":
            labels = [Quantity(f"bandwidth_{s}", "Hz") for s in config.slice_names]
        else:
            labels = [Quantity("split", "index")]
    if len(labels) == size:
        return labels
    return [Quantity(f"action_{i}", "") for i in range(size)]


def metric_labels(task: str, names: tuple[str, ...]) -> tuple[Quantity, ...]:
    """Units of metrics, guessed from their names where no table has them."""
    return tuple(Quantity(name, _METRIC_UNITS.get(name, _unit_of(task, name))) for name in names)


def _unit_of(task: str, name: str) -> str:
    if task != "slicing-v0":
        return ""
    if "ssr" in name:
        return "ratio"
    if name.startswith("bandwidth"):
        return "Hz"
    return "packets" if name.startswith(("demand", "dropped")) else ""
