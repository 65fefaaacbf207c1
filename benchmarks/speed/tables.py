"""Markdown tables of what a folder holds, for the terminal and for docs/gpu.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.markdown import table_lines
from benchmarks.speed.record import measured

__all__ = ["document_lines"]

_Documents = Mapping[str, dict[str, Any]]

#: Figures that tell how fast a row is, whichever it has; else it is the time of a call.
_PER_SECOND: Final = ("steps_per_s", "updates_per_s", "env_steps_per_s")


def document_lines(documents: _Documents) -> list[str]:
    """A heading, the machine and a table for each piece; failures last.

    Args:
        documents: as `read_documents` returns them.
    """
    lines: list[str] = []
    for machine in dict.fromkeys(_machine(document) for document in documents.values()):
        lines += [machine]
    for name, document in documents.items():
        if measured(document):
            lines += ["", f"### {name}", "", f"`{document['command']}`", ""]
            lines += _tables(document, documents)
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


def _tables(document: dict[str, Any], documents: _Documents) -> list[str]:
    """All figures that are single values, and how many times as fast a row is as its group's first.

    Rows of one group have equal names but for what follows the last comma; works that were measured
    in one row stand in rows of their own, and are a group.
    """
    groups: dict[str, dict[str, Any]] = {}
    rows: list[tuple[str, dict[str, Any]]] = []
    for name, figures in measured(document).items():
        works = {f"{name}: {key}": v for key, v in figures.items() if isinstance(v, dict)}
        for row, values in (works or {name: figures}).items():
            first = groups.setdefault(name if works else name.rpartition(", ")[0], values)
            more = {"ceiling_share": _share(values, documents), "x_first": _ratio(values, first)}
            rows.append((row, values | more))
    columns = dict.fromkeys(
        key
        for _, figures in rows
        for key, value in figures.items()
        if value is not None and not isinstance(value, list)
    )
    cells = [[name, *(_cell(key, row.get(key)) for key in columns)] for name, row in rows]
    table = table_lines(["", *(key.replace("_", " ") for key in columns)], cells)
    return [*table, *_kernels(measured(document))]


def _ratio(figures: Mapping[str, Any], first: Mapping[str, Any]) -> float | None:
    for key in _PER_SECOND:
        if key in figures and key in first:
            return float(figures[key] / first[key])
    if "median_ms" in figures and "median_ms" in first:
        return float(first["median_ms"] / figures["median_ms"])
    return None


def _share(figures: Mapping[str, Any], documents: _Documents) -> float | None:
    """Of the measured products of large matrices, what a step of training reaches."""
    ceilings = measured(documents.get("ceilings", {"rows": {}}))
    ceiling = ceilings.get(figures.get("ceiling", ""), {}).get("tflops")
    return figures["tflops"] / ceiling if ceiling else None


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key.endswith("_share"):
        return f"{100 * value:.1f} %"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return str(value)


def _kernels(found: Mapping[str, dict[str, Any]]) -> list[str]:
    """The most expensive kernels of the row that has most steps per second."""
    profiled = [figures for figures in found.values() if figures.get("kernels")]
    if not profiled:
        return []
    kernels = max(profiled, key=lambda figures: figures["steps_per_s"])["kernels"]
    rows = [
        [f"`{k['name'][:90]}`", *(_cell(key, k[key]) for key in ("calls_per_step", "ms_per_step"))]
        for k in kernels
    ]
    table = table_lines(["kernel", "calls per step", "ms per step"], rows)
    return ["", "The most expensive kernels of the fastest:", "", *table]
