"""Markdown tables of what a folder holds, for the terminal and for docs/gpu.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.markdown import table_lines

__all__ = ["document_lines"]

_Documents = Mapping[str, dict[str, Any]]


def document_lines(documents: _Documents) -> list[str]:
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


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return str(value)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _rows(
    first: str, columns: Mapping[str, str], found: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """A table with a row for each name; columns are keys by heading, shares in percent."""
    rows = []
    for name, figures in found.items():
        values = [(key, figures.get(key)) for key in columns.values()]
        shown = [_percent(v) if key.endswith("_share") else _cell(v) for key, v in values]
        rows.append([name, *shown])
    return table_lines([first, *columns], rows)


def _ratio(value: float, by: float | None) -> float | None:
    return value / by if by else None


# ------------------------------------------------------------------------------ pieces
def _ceilings(document: dict[str, Any], _: _Documents) -> list[str]:
    found = {}
    for name, figures in _measured(document).items():
        if name == "copy":
            found["copy, read and written"] = f"{_cell(figures['gb_per_s'])} GB/s"
        else:
            found[f"{name} product of {figures['size']}"] = f"{_cell(figures['tflops'])} TFLOP/s"
    return table_lines(["ceiling", "measured"], list(found.items()))


def _parity(document: dict[str, Any], _: _Documents) -> list[str]:
    rows = []
    for name, figures in _measured(document).items():
        if "plans" in figures:
            equal = _percent(figures["equal_actions"])
            rows.append([name, f"plans {figures['plans']:.1e}", f"equal actions {equal}"])
        else:
            gradient = (
                f"gradient {figures['gradient']:.1e}, worst tensor "
                f"{figures['worst_tensor']:.1e} ({figures['worst_name']})"
            )
            rows.append([name, f"loss {figures['loss']:.1e}", gradient])
    return table_lines(["compared with the CPU", "relative difference", ""], rows)


def _training(document: dict[str, Any], documents: _Documents) -> list[str]:
    found = _measured(document)
    ceilings = _measured(documents.get("ceilings", {"rows": {}}))
    eager, plain = (found.get(f"{name} fp32", {}).get("steps_per_s") for name in ("eager", "plain"))
    shown = {
        name: {
            **figures,
            "of_eager": _ratio(figures["steps_per_s"], eager),
            "of_plain": _ratio(figures["steps_per_s"], plain),
            "ceiling_share": _ratio(
                figures["tflops"], ceilings.get(figures["ceiling"], {}).get("tflops")
            ),
        }
        for name, figures in found.items()
    }
    columns = {
        "steps/s": "steps_per_s", "x eager fp32": "of_eager", "x plain": "of_plain",
        "host ms": "host_ms", "device ms": "device_ms", "warm-up s": "warmup_s",
        "peak GB": "peak_allocated_gb", "TFLOP/s": "tflops", "of the ceiling": "ceiling_share",
        "GPU busy": "busy_share",
    }  # fmt: skip
    return [*_rows("variant", columns, shown), *_kernels(found)]


def _kernels(found: Mapping[str, dict[str, Any]]) -> list[str]:
    """The most expensive kernels of the fastest variant."""
    fastest = max(found, key=lambda name: found[name]["steps_per_s"])
    kernels = found[fastest]["kernels"]
    if not kernels:
        return []
    columns = {"calls per step": "calls_per_step", "ms per step": "ms_per_step"}
    table = _rows("kernel", columns, {f"`{kernel['name'][:90]}`": kernel for kernel in kernels})
    return ["", f"The most expensive kernels of {fastest}:", "", *table]


def _planning(document: dict[str, Any], _: _Documents) -> list[str]:
    found = _measured(document)
    for name, figures in found.items():
        agents, steps, how = name.split(", ")
        eager = found.get(f"{agents}, {steps}, eager", {}).get("median_ms")
        if how != "eager":
            figures["of_eager"] = _ratio(eager, figures["median_ms"]) if eager else None
    columns = {
        "median ms": "median_ms", "p90 ms": "p90_ms", "x eager": "of_eager",
        "first call s": "first_s", "peak GB": "peak_allocated_gb",
    }  # fmt: skip
    return _rows("agents, denoising steps, graph", columns, found)


def _unet(document: dict[str, Any], _: _Documents) -> list[str]:
    found = {}
    for name, figures in _measured(document).items():
        for which in ("plain", "ours"):
            total = figures[which]["total"]
            found[f"{name}, {which}"] = figures[which] | {"steps_per_s": 1e3 / total}
        found[f"{name}, ours"]["speedup"] = figures["speedup"]
    columns = {
        "network ms": "network", "Adam ms": "adam", "average ms": "average", "step ms": "total",
        "steps/s": "steps_per_s", "x plain": "speedup",
    }  # fmt: skip
    return _rows("batch", columns, found)


def _planners(document: dict[str, Any], _: _Documents) -> list[str]:
    """Each row of the piece beside the first of its works."""
    found = {}
    for row, works in _measured(document).items():
        first = next(iter(works.values()))["median_ms"]
        for name, figures in works.items():
            found[f"{row}: {name}"] = figures | {"speedup": _ratio(first, figures["median_ms"])}
    columns = {
        "median ms": "median_ms", "least ms": "least_ms", "CPU ms": "cpu_ms", "x first": "speedup"
    }  # fmt: skip
    return _rows("19 agents where nothing else is said", columns, found)


def _baselines(document: dict[str, Any], _: _Documents) -> list[str]:
    found: dict[str, dict[str, Any]] = {}
    devices: dict[str, str] = {}
    for name, figures in _measured(document).items():
        pair, device = name.rsplit(", ", 1)
        devices[f"updates/s on {device}"] = device
        shown = found.setdefault(pair, {})
        shown[device] = figures["updates_per_s"]
        if device == "cpu":
            shown["cpu_ms"] = figures.get("cpu_ms")
    return _rows("method, task", {**devices, "CPU ms per update": "cpu_ms"}, found)


_Table = Callable[[dict[str, Any], _Documents], list[str]]


def _plain(first: str, columns: Mapping[str, str]) -> _Table:
    """A table of figures as they were measured."""
    return lambda document, _: _rows(first, columns, _measured(document))


_TABLES: Final[dict[str, _Table]] = {
    "ceilings": _ceilings,
    "parity": _parity,
    "training": _training,
    "unet": _unet,
    "planning": _planning,
    "planners": _planners,
    "loop": _plain(
        "environment, network",
        {"env steps/s": "env_steps_per_s", "ms per decision": "decision_ms",
         "planner": "planner_share", "environment": "environment_share"},
    ),
    "baselines": _baselines,
    "dima": _plain(
        "task, preset",
        {"denoising steps": "denoising_steps", "weights": "weights", "denoiser": "denoiser_cpu_s",
         "reward": "reward_cpu_s", "state": "state_cpu_s", "imagination": "imagination_cpu_s",
         "by the clock": "imagination_s"},
    ),
    "collecting": _plain(
        "data",
        {"env steps/s": "env_steps_per_s",
         "seconds per trajectory of 5,000 steps": "seconds_per_trajectory",
         "share of the simulator alone": "simulator_share"},
    ),
}  # fmt: skip
