"""Markdown tables of what a folder holds, for the terminal and for docs/gpu.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["table_lines"]

_Documents = Mapping[str, dict[str, Any]]


def table_lines(documents: _Documents) -> list[str]:
    """A heading, the machine and a table for each kind of piece; failures last.

    Args:
        documents: as `read_documents` returns them.
    """
    lines: list[str] = []
    for machine in dict.fromkeys(_machine(document) for document in documents.values()):
        lines += [machine]
    for name, document in documents.items():
        kind = name.partition("-")[0]
        if kind in _TABLES and _measured(document):
            lines += ["", f"### {name}", "", f"`{document['command']}`", ""]
            lines += _TABLES[kind](document, documents)
    lines += _notes(documents)
    return lines


def _machine(document: dict[str, Any]) -> str:
    about = [document["card"], f"torch {document['torch']}"]
    for key in ("cuda", "driver", "triton"):
        if document.get(key):
            about.append(f"{key} {document[key]}")
    about += [f"{document['machine'][0]}", f"revision {document['git_revision'] or 'unknown'}"]
    return ", ".join(about)


def _notes(documents: _Documents) -> list[str]:
    """What failed, and what could not be measured, in one line each."""
    lines = []
    for name, document in documents.items():
        for row, found in document["rows"].items():
            if "error" in found:
                lines.append(f"* {name}, {row}: failed: {found['error']}")
        reasons: dict[str, list[str]] = {}
        for row, found in document["rows"].items():
            if "skipped" in found.get("figures", {}):
                reasons.setdefault(found["figures"]["skipped"], []).append(row)
        for reason, rows in reasons.items():
            lines.append(f"* {name}: not measured: {reason} ({'; '.join(rows)})")
    return ["", *lines] if lines else []


def _measured(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by row, of what was measured."""
    return {
        name: row["figures"]
        for name, row in document["rows"].items()
        if "figures" in row and "skipped" not in row["figures"]
    }


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return [*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return str(value)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


# ------------------------------------------------------------------------------ pieces
def _ceilings(document: dict[str, Any], _: _Documents) -> list[str]:
    found = _measured(document)
    rows = [
        ["copy, read and written", f"{_cell(found['copy']['gb_per_s'])} GB/s"]
        if name == "copy"
        else [f"{name} product of {figures['size']}", f"{_cell(figures['tflops'])} TFLOP/s"]
        for name, figures in found.items()
    ]
    return _table(["ceiling", "measured"], rows)


def _parity(document: dict[str, Any], _: _Documents) -> list[str]:
    rows = []
    for name, figures in _measured(document).items():
        if "plans" in figures:
            equal = _percent(figures["equal_actions"])
            rows.append([name, f"plans {figures['plans']:.1e}", f"equal actions {equal}"])
        else:
            rows.append(
                [
                    name,
                    f"loss {figures['loss']:.1e}",
                    f"gradient {figures['gradient']:.1e}, worst tensor "
                    f"{figures['worst_tensor']:.1e} ({figures['worst_name']})",
                ]
            )
    return _table(["compared with the CPU", "relative difference", ""], rows)


def _training(document: dict[str, Any], documents: _Documents) -> list[str]:
    found = _measured(document)
    ceilings = _measured(documents.get("ceilings", {"rows": {}}))
    base = found.get("eager fp32", {}).get("steps_per_s")
    plain = found.get("plain fp32", {}).get("steps_per_s")
    rows = []
    for name, figures in found.items():
        ceiling = ceilings.get(figures["ceiling"], {}).get("tflops")
        rows.append(
            [
                name,
                figures["steps_per_s"],
                figures["steps_per_s"] / base if base else None,
                figures["steps_per_s"] / plain if plain else None,
                figures["host_ms"],
                figures["device_ms"],
                figures["warmup_s"],
                figures["peak_allocated_gb"],
                figures["tflops"],
                _percent(figures["tflops"] / ceiling if ceiling else None),
                _percent(figures["busy_share"]),
            ]
        )
    header = [
        "variant", "steps/s", "x eager fp32", "x plain", "host ms", "device ms", "warm-up s",
        "peak GB", "TFLOP/s", "of the ceiling", "GPU busy",
    ]  # fmt: skip
    return [*_table(header, rows), *_kernels(found)]


def _kernels(found: Mapping[str, dict[str, Any]]) -> list[str]:
    """The most expensive kernels of the fastest variant."""
    fastest = max(found, key=lambda name: found[name]["steps_per_s"])
    kernels = found[fastest]["kernels"]
    if not kernels:
        return []
    rows = [[f"`{k['name'][:90]}`", k["calls_per_step"], k["ms_per_step"]] for k in kernels]
    table = _table(["kernel", "calls per step", "ms per step"], rows)
    return ["", f"The most expensive kernels of {fastest}:", "", *table]


def _planning(document: dict[str, Any], _: _Documents) -> list[str]:
    found = _measured(document)
    rows = []
    for name, figures in found.items():
        agents, steps, how = name.split(", ")
        eager = found.get(f"{agents}, {steps}, eager", {}).get("median_ms")
        gain = eager / figures["median_ms"] if eager and how != "eager" else None
        size = (agents.split()[0], steps.split()[0], how)
        times = (figures["median_ms"], figures["p90_ms"], gain, figures["first_s"])
        rows.append([*size, *times, figures["peak_allocated_gb"]])
    header = ["agents", "steps", "", "median ms", "p90 ms", "x eager", "first call s", "peak GB"]
    return _table(header, rows)


def _loop(document: dict[str, Any], _: _Documents) -> list[str]:
    rows = [
        [
            name,
            figures["env_steps_per_s"],
            figures["decision_ms"],
            _percent(figures["planner_share"]),
            _percent(figures["environment_share"]),
        ]
        for name, figures in _measured(document).items()
    ]
    header = ["environment, network", "env steps/s", "ms per decision", "planner", "environment"]
    return _table(header, rows)


def _baselines(document: dict[str, Any], _: _Documents) -> list[str]:
    found = _measured(document)
    devices = list(dict.fromkeys(name.split(", ")[2] for name in found))
    pairs = dict.fromkeys(tuple(name.split(", ")[:2]) for name in found)
    rows = [
        [*pair, *(found.get(", ".join([*pair, d]), {}).get("updates_per_s") for d in devices)]
        for pair in pairs
    ]
    return _table(["method", "task", *(f"updates/s on {d}" for d in devices)], rows)


def _collecting(document: dict[str, Any], _: _Documents) -> list[str]:
    rows = [
        [name, figures["env_steps_per_s"], figures["seconds_per_trajectory"]]
        for name, figures in _measured(document).items()
    ]
    return _table(["data", "env steps/s", "seconds per trajectory of 5,000 steps"], rows)


_TABLES: Final[dict[str, Callable[[dict[str, Any], _Documents], list[str]]]] = {
    "ceilings": _ceilings,
    "parity": _parity,
    "training": _training,
    "planning": _planning,
    "loop": _loop,
    "baselines": _baselines,
    "collecting": _collecting,
}
