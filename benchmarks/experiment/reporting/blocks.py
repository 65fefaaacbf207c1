"""A report as a list of blocks, written as Markdown, HTML and CSV."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "Heading", "Picture", "Table", "Text", "as_csv", "as_html", "as_markdown"]


@dataclass(frozen=True)
class Heading:
    """A heading."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of ready-made cells.

    Args:
        name: of its CSV file, without ending.
        columns: headings.
        rows: cells.
        strong: indices of rows to set off.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG file beside the report.

    Args:
        path: of the file.
        caption: what it shows.
    """

    path: Path
    caption: str


Block = Heading | Text | Table | Picture


def as_markdown(blocks: Sequence[Block]) -> str:
    """The report, with pictures by file name."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'#' * block.level} {block.text}")
        elif isinstance(block, Text):
            parts.append(block.text)
        elif isinstance(block, Picture):
            parts.append(f"![{block.caption}]({block.path.name})\n\n{block.caption}")
        else:
            parts.append(_markdown_table(block))
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    lines = [f"| {' | '.join(table.columns)} |", "|" + "---|" * len(table.columns)]
    for i, row in enumerate(table.rows):
        cells = [f"**{row[0]}**", *row[1:]] if i in table.strong else row
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Numbers as they are; what is not known stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.9g}" if value == value else ""
    return value


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd }
figure { margin: 1rem 0 } img { max-width: 100%; height: auto }
figcaption { color: #555; font-size: .9rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e5e5e5; text-align: right;
  white-space: nowrap }
th:first-child, td:first-child { text-align: left } th { border-bottom: 2px solid #bbb }
tr.strong td { font-weight: 600; background: #eef5fb }
"""


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """One page that needs nothing else: pictures are inside."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"<h{block.level}>{html.escape(block.text)}</h{block.level}>")
        elif isinstance(block, Text):
            parts.append(f"<p>{html.escape(block.text)}</p>")
        elif isinstance(block, Picture):
            data = base64.b64encode(block.path.read_bytes()).decode()
            caption = html.escape(block.caption)
            parts.append(
                f'<figure><img src="data:image/png;base64,{data}" alt="{caption}">'
                f"<figcaption>{caption}</figcaption></figure>"
            )
        else:
            parts.append(_html_table(block))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    lines = [f'<div class="scroll"><table><tr>{head}</tr>']
    for i, row in enumerate(table.rows):
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        mark = ' class="strong"' if i in table.strong else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    return "\n".join([*lines, "</table></div>"])
