"""The cells of a network: a hexagonal grid, or the sites that somebody brings along."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.inputs import frozen, read_table
from wirelessenvs.topology import (
    adjacency_within,
    distances,
    gabriel_graph,
    hexagonal_grid,
    nearest_distances,
    rings_for_cells,
    voronoi_outlines,
)

__all__ = ["MOST_SITES", "Cells", "Sites", "check_sites", "hexagonal_cells", "own_cells"]

Sites = tuple[tuple[float, float], ...]

#: As many as the largest hexagonal grid of beamforming.
MOST_SITES = 1027
#: Sites nearer than this are one site given twice, or coordinates in degrees.
LEAST_DISTANCE_M = 1.0


@dataclass(frozen=True, eq=False)
class Cells:
    """Where base stations stand, who neighbours whom, and what a picture draws.

    Args:
        sites: `(K, 2)` metres.
        radii_m: `(K,)` how far the users of each cell are from their site at most.
        adjacency: `(K, K)` neighbouring cells.
        outlines: of each cell, the corners of a polygon in metres.
    """

    sites: NDArray[np.float64]
    radii_m: NDArray[np.float64]
    adjacency: NDArray[np.bool_]
    outlines: list[NDArray[np.float64]]

    def __post_init__(self) -> None:
        # Shared by all simulators of the same cells.
        for array in (self.sites, self.radii_m, self.adjacency):
            array.setflags(write=False)

    @property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest coordinates `(2,)` of the sites."""
        return self.sites.min(0), self.sites.max(0)


@functools.lru_cache(maxsize=8)
def hexagonal_cells(num_cells: int, spacing_m: float) -> Cells:
    """A full hexagonal grid around the origin.

    Args:
        num_cells: 1, 7, 19, ...
        spacing_m: distance between adjacent sites.
    """
    sites = hexagonal_grid(rings_for_cells(num_cells), spacing_m)
    angle = np.deg2rad(np.arange(0, 360, 60))
    hexagon = spacing_m / 2 / np.cos(np.pi / 6) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Cells(
        sites,
        np.full(num_cells, spacing_m / 2),
        adjacency_within(sites, spacing_m),
        list(sites[:, None] + hexagon),
    )


@functools.lru_cache(maxsize=8)
def own_cells(sites: Sites, most_radius_m: float) -> Cells:
    """Cells of any layout.

    A cell reaches half-way to the nearest other site, at most `most_radius_m`. Cells are
    neighbours if no third site lies between them (`gabriel_graph`), which are the adjacent ones
    in a hexagonal grid.

    Args:
        sites: as of `check_sites`.
        most_radius_m: greatest radius.
    """
    positions = np.array(sites)
    nearest = nearest_distances(positions)
    adjacency = gabriel_graph(positions)
    distance = distances(positions, positions)
    # To the corners that it shares with its neighbours, or about so far where it has none.
    reach = 0.62 * np.where(adjacency, distance, 0.0).max(1)
    return Cells(
        positions,
        np.minimum(nearest / 2, most_radius_m),
        adjacency,
        voronoi_outlines(positions, reach),
    )


def check_sites(value: Any) -> Sites:
    """Coordinates of base stations as configurations hold them.

    Args:
        value: `(K, 2)` metres in a plane, K of 2 to 1,027: a matrix or a file (`read_table`).

    Raises:
        TypeError: for what holds no numbers.
        ValueError: for a wrong shape, and for sites in one place.
    """
    table = read_table("sites", value)
    if table.shape[1] != 2 or not 2 <= len(table) <= MOST_SITES:
        raise ValueError(
            f"sites must have 2 to {MOST_SITES} rows and 2 columns (x and y in metres), got shape "
            f"{table.shape}."
        )
    if np.abs(table).max() > 1e8:
        raise ValueError(
            f"sites must be metres between -1e8 and 1e8, got {table.min():g} to {table.max():g}."
        )
    distance = distances(table, table)
    np.fill_diagonal(distance, np.inf)
    first, second = np.unravel_index(int(distance.argmin()), distance.shape)
    if distance[first, second] < LEAST_DISTANCE_M:
        raise ValueError(
            f"sites must be at least {LEAST_DISTANCE_M:g} m apart, got sites {first} and {second} "
            f"at {distance[first, second]:g} m (coordinates are metres, not degrees)."
        )
    return frozen(table)
