"""Numbers that somebody brings along: arrays, data frames, and tables in CSV or .npy files."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_matrix, real_array, reason, shown
from wirelessenvs.files import check_regular

__all__ = ["check_counts", "check_file", "check_traced", "check_whole", "frozen", "read_table"]

#: Greatest number of entries of a table: configurations hold it, and data sets with them.
MOST_ENTRIES = 20_000_000


def check_file(name: str, value: object) -> Path:
    """The path of a regular file.

    Raises:
        TypeError: if it is no path.
        ValueError: if there is no such file; the sentence names the argument.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be the path of a file, got {shown(value)}.")
    try:
        path = Path(os.fsdecode(value))
        check_regular(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(
            f"{name} must name a file: {shown(value)} cannot be read ({reason})."
        ) from None
    return path


def read_table(name: str, value: Any) -> NDArray[np.float64]:
    """A table of finite numbers, from whatever holds one.

    Args:
        name: of the argument, for errors.
        value: a matrix (array, nested lists, data frame) or the path of a file: `.npy`, or CSV
            with commas, with or without a line of column names, which are no numbers; lines that
            begin with # are left out.

    Returns:
        A fresh `(rows, columns)` array.

    Raises:
        TypeError: for what holds no numbers.
        ValueError: for gaps, ragged lines and files that cannot be read, with their place.
    """
    where = ""
    if isinstance(value, (str, os.PathLike)):
        path = check_file(name, value)
        where = f" in {path}"
        value = _read_npy(name, path) if path.suffix == ".npy" else _read_csv(name, path)
    array = real_array(name, value)
    if array.ndim == 2 and array.size > MOST_ENTRIES:
        raise ValueError(f"{name} must have at most {MOST_ENTRIES} entries, got {array.size}.")
    if array.ndim == 2 and np.isnan(array).any():
        row, column = np.argwhere(np.isnan(array))[0]
        raise ValueError(
            f"{name} must have no gaps: row {row}, column {column}{where} (counted from 0) is nan."
        )
    return check_matrix(name, array)


def check_whole(name: str, matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns a matrix of whole numbers as integers.

    Raises:
        ValueError: naming the first fraction, or number that is not exact.
    """
    wrong = (matrix != np.floor(matrix)) | (np.abs(matrix) > 2**53)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        number = matrix[row, column]
        what = "numbers of at most 2**53" if number == np.floor(number) else "whole numbers"
        raise ValueError(
            f"{name} must hold {what}, got {number:g} in row {row}, column {column} (counted from "
            "0)."
        )
    return matrix.astype(np.int64)


def check_counts(name: str, matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns counts, row by row, as integers; what a row rounds away, the next rows make up for.

    Args:
        name: of the argument, for errors.
        matrix: `(T, K)` numbers of at least 0, such as packets per frame, or their means.

    Returns:
        `(T, K)` counts, whose sum over the first t rows is that of the numbers, rounded half up,
        for every t: whole numbers stay what they are.

    Raises:
        ValueError: if a column's sum is no exact number.
    """
    sums = np.cumsum(matrix, 0)
    if sums.size and sums[-1].max() > 2**53:
        raise ValueError(
            f"{name} must have sums of at most 2**53, got {sums[-1].max():g} in column "
            f"{sums[-1].argmax()} (counted from 0)."
        )
    return np.diff(np.floor(sums + 0.5), axis=0, prepend=0.0).astype(np.int64)


def check_traced(trace: Any, traffic: str) -> None:
    """Raises `ValueError` unless a trace is given for the traffic "trace", and for no other."""
    if (trace is None) == (traffic == "trace"):
        given = "None" if trace is None else "one"
        raise ValueError(
            f'trace must be given for traffic "trace" and for no other, got {given} with traffic '
            f"{traffic!r}."
        )


def frozen(matrix: NDArray[Any]) -> tuple[tuple[Any, ...], ...]:
    """Rows as nested tuples, as configurations hold them: immutable, comparable, hashable."""
    return tuple(map(tuple, matrix.tolist()))


def _read_npy(name: str, path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except Exception as error:  # damaged headers raise whatever Python's parsers do
        raise ValueError(f"{name}: {path} is no array of NumPy ({reason(error)}).") from None
    return array


def _read_csv(name: str, path: Path) -> list[list[float]]:
    rows: list[list[float]] = []
    columns: int | None = None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, line in enumerate(csv.reader(file), 1):
                if not line or line[0].lstrip().startswith("#"):
                    continue
                if columns is None:
                    columns = len(line)
                    if not any(_is_number(cell) for cell in line):
                        continue  # names of the columns
                    if columns > 1 and line == [str(i) for i in range(columns)]:
                        raise ValueError(
                            f"{name} must not begin with the numbers of its columns, got "
                            f"{','.join(line)[:40]} in line {number} of {path}: delete that line "
                            "(pandas: header=False), or put names above it if it belongs to the "
                            "table."
                        )
                if len(line) != columns:
                    raise ValueError(
                        f"{name} must have {columns} columns in every line, got {len(line)} in "
                        f"line {number} of {path}."
                    )
                rows.append([_number(name, cell, number, c, path) for c, cell in enumerate(line)])
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{name}: {path} is no table in CSV ({reason(error)}).") from None
    if not rows:
        raise ValueError(f"{name} must have at least one line of numbers, got none in {path}.")
    return rows


def _number(name: str, cell: str, line: int, column: int, path: Path) -> float:
    place = f"line {line}, column {column + 1} of {path}"
    if not cell.strip():
        raise ValueError(f"{name} must have no gaps: {place} is empty.")
    if not _is_number(cell) or math.isnan(float(cell)):
        raise ValueError(f"{name} must hold numbers, got {cell.strip()!r} in {place}.")
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python reads 5_00 as 500
