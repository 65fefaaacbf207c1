"""Where agents stand and who hears whom: hexagonal grids, any sites, rings, random geometry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "adjacency_within",
    "distances",
    "gabriel_graph",
    "hexagonal_grid",
    "nearest_distances",
    "random_geometric",
    "ring_lattice",
    "rings_for_cells",
    "voronoi_outlines",
]


def hexagonal_grid(num_rings: int, inter_site_distance_m: float) -> NDArray[np.float64]:
    """Centres of a hexagonal grid: one cell and `num_rings` rings around it.

    The order is that of the published 19-cell code (specified for two rings, continued here): the
    centre; then ring by ring the six corners at -30, 30, ..., 270 degrees, followed by the cells
    between corner k and k+1.

    Args:
        num_rings: 0 for one cell, 1 for 7, 2 for 19, 3 for 37, 4 for 61.
        inter_site_distance_m: distance between adjacent centres.

    Returns:
        `(1 + 3 num_rings (num_rings + 1), 2)` coordinates in metres.
    """
    angles = np.deg2rad(np.arange(-30, 330, 60))
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centres = [np.zeros((1, 2))]
    for ring in range(1, num_rings + 1):
        ring_corners = corners * ring * inter_site_distance_m
        centres.append(ring_corners)
        following = np.roll(ring_corners, -1, axis=0)
        steps = np.arange(1, ring)[None, :, None] / ring
        between = ring_corners[:, None] + (following - ring_corners)[:, None] * steps
        centres.append(between.reshape(-1, 2))
    return np.concatenate(centres)


def rings_for_cells(num_cells: int) -> int:
    """Number of rings of a hexagonal grid with `num_cells` cells.

    Raises:
        ValueError: if no whole number of rings gives that many cells.
    """
    rings = 0
    while 1 + 3 * rings * (rings + 1) < num_cells:
        rings += 1
    if 1 + 3 * rings * (rings + 1) != num_cells:
        raise ValueError(
            f"num_cells must be that of a full hexagonal grid (1, 7, 19, 37, 61, ...), "
            f"got {num_cells}."
        )
    return rings


def distances(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(N, M)` distance from each of N points to each of M others."""
    offsets = points[:, None] - others
    distance: NDArray[np.float64] = np.hypot(offsets[..., 0], offsets[..., 1])
    return distance


def adjacency_within(positions: NDArray[np.float64], radius_m: float) -> NDArray[np.bool_]:
    """`(N, N)` adjacency of points at most `radius_m` apart (with a part in 1e9 to spare)."""
    near = distances(positions, positions) <= radius_m * (1 + 1e-9)
    np.fill_diagonal(near, False)
    return near


def ring_lattice(num_agents: int, reach: int) -> NDArray[np.bool_]:
    """`(N, N)` adjacency of a ring on which each agent hears `reach` others on each side."""
    index = np.arange(num_agents)
    gap = np.abs(index[:, None] - index[None])
    gap = np.minimum(gap, num_agents - gap)
    return (gap >= 1) & (gap <= reach)


def random_geometric(
    num_agents: int, radius: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points dropped uniformly in the unit square and the adjacency of those within `radius`."""
    positions = rng.random((num_agents, 2))
    return positions, adjacency_within(positions, radius)


def nearest_distances(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(N,)` distance from each point to the nearest other one."""
    distance = distances(positions, positions)
    np.fill_diagonal(distance, np.inf)
    return distance.min(1)


def gabriel_graph(positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`(N, N)` adjacency of points between which no other one lies.

    Two points are neighbours if the circle through both, with its centre half-way between them,
    has no third inside or on it (K. R. Gabriel and R. R. Sokal, "A new statistical approach to
    geographic variation analysis", Systematic Zoology 18(3), 1969). It connects any set of points,
    and on a hexagonal grid it connects adjacent cells.
    """
    offsets = positions[:, None] - positions[None]
    squared = (offsets**2).sum(-1)
    adjacency = np.empty(squared.shape, np.bool_)
    for point, row in enumerate(squared):
        # A third point inside the circle sees the two at more than a right angle. With those on
        # it, a square grid has no diagonals.
        least = (row[None] + squared).min(1, where=_others(point, len(row)), initial=np.inf)
        adjacency[point] = least > row * (1 + 1e-9)
    np.fill_diagonal(adjacency, False)
    return adjacency


def _others(point: int, count: int) -> NDArray[np.bool_]:
    """`(N, N)` true where column k is neither `point` nor the row's own point."""
    others = ~np.eye(count, dtype=np.bool_)
    others[:, point] = False
    return others


def voronoi_outlines(
    positions: NDArray[np.float64], reach_m: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """What is nearer to each point than to any other, within a distance: convex polygons.

    Args:
        positions: `(N, 2)` metres.
        reach_m: `(N,)` greatest distance from each point, rounded off as a polygon of 36 corners.

    Returns:
        `(V, 2)` corners per point.
    """
    angles = np.deg2rad(np.arange(5, 365, 10))
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outlines = []
    for point, (centre, reach) in enumerate(zip(positions, reach_m, strict=True)):
        corners = reach * circle
        offsets = np.delete(positions, point, axis=0) - centre
        for offset in offsets[(offsets**2).sum(1) < 4 * reach**2]:
            # Positive on the far side of the bisector, by Sutherland and Hodgman.
            side = corners @ offset - 0.5 * offset @ offset
            following, after = np.roll(corners, -1, axis=0), np.roll(side, -1)
            crosses = (side > 0) != (after > 0)
            share = np.where(crosses, side / np.where(crosses, side - after, 1.0), 0.0)
            cuts = corners + share[:, None] * (following - corners)
            both = np.stack([corners, cuts], axis=1).reshape(-1, 2)
            kept = np.stack([side <= 0, crosses], axis=1).ravel()
            corners = both[kept]
        outlines.append(centre + corners)
    return outlines
