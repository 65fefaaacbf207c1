"""What a family is made of: `python -m wirelessenvs.families rb --png family.png`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_int
from wirelessenvs.command import check_targets, run, whole_file
from wirelessenvs.families.catalogue import FAMILIES, deployments, get_family
from wirelessenvs.families.deployment import Family

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "main", "samples"]


def samples(family: Family, count: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """`{split: {quantity: (count,)}}` of the first deployments of every split."""
    drawn = {
        split: [site.quantities for site in deployments(family.name, split)[:count]]
        for split in family.splits
    }
    return {
        split: {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
        for split, rows in drawn.items()
    }


def draw(figure: Figure, values: dict[str, dict[str, NDArray[np.float64]]]) -> None:
    """One panel per quantity; a row per split, a dot per deployment."""
    splits, names = list(values), list(next(iter(values.values())))
    columns = min(len(names), 3)
    axes = figure.subplots(-(-len(names) // columns), columns, squeeze=False, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        for row, split in enumerate(splits):
            numbers = values[split][name]
            # Spread out by rank, the same in every panel: dots of one value stay countable.
            height = row + np.linspace(-0.3, 0.3, len(numbers))
            color = "tab:orange" if split.startswith("beyond-") else "tab:blue"
            axis.plot(numbers, height, ".", color=color, markersize=4, alpha=0.7)
        axis.set_xlabel(name)
        axis.set_yticks(range(len(splits)), splits)
        axis.grid(axis="x", alpha=0.3)
    axes.flat[0].invert_yaxis()
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    figure.tight_layout()


def _write(path: Path, values: dict[str, dict[str, NDArray[np.float64]]]) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "a picture needs matplotlib: pip install 'wirelessenvs[render]'."
        ) from None
    rows = -(-len(next(iter(values.values()))) // 3)
    figure = Figure(figsize=(10, 1.2 + 2.6 * rows), dpi=100)
    draw(figure, values)
    with whole_file(path) as partial:
        figure.savefig(partial, format="png")
    print(f"\nwrote {path}")


def _show(options: argparse.Namespace) -> None:
    family = get_family(options.family)
    count = check_int("--deployments", options.deployments, 1)
    check_targets(options.png)
    values = samples(family, count)
    names = list(next(iter(values.values())))
    print(f"The first {count} deployments of each split, least to greatest:\n")
    print(f"| split | {' | '.join(names)} |")
    print("|---|" + "---|" * len(names))
    for split, columns in values.items():
        cells = [f"{column.min():.3g} to {column.max():.3g}" for column in columns.values()]
        print(f"| {split} | {' | '.join(cells)} |")
    if options.png:
        _write(options.png, values)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelessenvs.families",
        description="Show what the deployments of a family are drawn from.",
    )
    parser.add_argument("family", help=f"one of {', '.join(FAMILIES)}")
    parser.add_argument("--deployments", type=int, default=64, help="per split (default: 64)")
    parser.add_argument("--png", type=Path, help="write a picture")
    return run(_show, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
