"""Tables in Markdown, for the terminal and for documents."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["header_line", "row_line", "table_lines"]


def row_line(cells: Sequence[object]) -> str:
    """One row, for tables that grow while work goes on.

    Example:
        >>> row_line(["bc", 0.5])
        '| bc | 0.5 |'
    """
    return "|" + "".join(f" {cell} |" if cell != "" else " |" for cell in cells)


def header_line(columns: Sequence[str]) -> str:
    """The head of a table: two lines in one string."""
    return f"{row_line(columns)}\n|{'---|' * len(columns)}"


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A whole table, line by line."""
    return [*header_line(columns).splitlines(), *map(row_line, rows)]
