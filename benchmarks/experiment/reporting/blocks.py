"""A report as a list of blocks, written as Markdown, HTML and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from networld_agent.page import Block, Heading, Picture, Table, Text, as_html

__all__ = ["Block", "Heading", "Picture", "Table", "Text", "as_csv", "as_html", "as_markdown"]


def as_markdown(blocks: Sequence[Block]) -> str:
    """The report, with pictures by file name."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'#' * block.level} {block.text}")
        elif isinstance(block, Text):
            parts.append(block.text)
        elif isinstance(block, Picture):
            parts.append(f"![{block.caption}]({block.name})\n\n{block.caption}")
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
