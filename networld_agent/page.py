"""A page as a list of blocks, written as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Block",
    "Heading",
    "Lines",
    "Picture",
    "Table",
    "Text",
    "Verdicts",
    "as_html",
    "drawn",
]


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
    """A picture.

    Args:
        png: its file's bytes.
        caption: what it shows.
        name: of its file beside the page, if it has one.
    """

    png: bytes
    caption: str
    name: str = ""


@dataclass(frozen=True)
class Lines:
    """Lines as they are: a command, a machine."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Verdicts:
    """Sentences on what works and what does not, each with whether it does."""

    sentences: tuple[tuple[bool, str], ...]


#: What every writer of reports knows; pages have `Lines` and `Verdicts`, too.
Block = Heading | Text | Table | Picture


def drawn(draw: Callable[[Any], None], size: tuple[float, float], caption: str) -> Picture:
    """A picture by matplotlib, drawn without a display.

    Args:
        draw: draws into a figure.
        size: in inches, of 100 pixels each.
        caption: what it shows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=100)
    FigureCanvasAgg(figure)
    draw(figure)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return Picture(image.getvalue(), caption)


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
pre { color: #555; font-size: 12px; white-space: pre-wrap }
.no { color: #b00 } .yes { color: #070 }
"""


def as_html(title: str, blocks: Sequence[Block | Lines | Verdicts]) -> str:
    """One page that needs nothing else: pictures are inside."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"<h{block.level}>{html.escape(block.text)}</h{block.level}>")
        elif isinstance(block, Text):
            parts.append(f"<p>{html.escape(block.text)}</p>")
        elif isinstance(block, Picture):
            data = base64.b64encode(block.png).decode()
            caption = html.escape(block.caption)
            parts.append(
                f'<figure><img src="data:image/png;base64,{data}" alt="{caption}">'
                f"<figcaption>{caption}</figcaption></figure>"
            )
        elif isinstance(block, Lines):
            parts.append(f"<pre>{html.escape(chr(10).join(block.lines))}</pre>")
        elif isinstance(block, Verdicts):
            parts.append(_html_list(block))
        else:
            parts.append(_html_table(block))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _html_list(verdicts: Verdicts) -> str:
    marks = {True: '<span class="yes">yes</span>', False: '<span class="no">no</span>'}
    items = (f"<li>{marks[good]}: {html.escape(said)}</li>" for good, said in verdicts.sentences)
    return f"<ul>{''.join(items)}</ul>"


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    lines = [f'<div class="scroll"><table><tr>{head}</tr>']
    for i, row in enumerate(table.rows):
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        mark = ' class="strong"' if i in table.strong else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    return "\n".join([*lines, "</table></div>"])
