"""Users at known places: who serves them, and which of several a layout shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cells import Cells
from wirelessenvs.inputs import frozen, read_table
from wirelessenvs.topology import distances

__all__ = ["Users", "check_users", "chosen_users"]

#: x and y in metres and the serving cell of each user.
Users = tuple[tuple[float, float, float], ...]

#: No user stands nearer to a site: path loss has no meaning there.
LEAST_DISTANCE_M = 1.0


def check_users(value: Any, cells: Cells) -> Users:
    """Users as configurations hold them.

    Args:
        value: `(M, 2)` coordinates in metres, each user served by the nearest site, or `(M, 3)`
            with the serving cell; a matrix or a file (`read_table`).
        cells: of the network.

    Raises:
        TypeError: for what holds no numbers.
        ValueError: for a wrong shape, users outside or on top of a site, and empty cells.
    """
    table = read_table("users", value)
    count = len(cells.sites)
    if table.shape[1] not in (2, 3) or len(table) < count:
        raise ValueError(
            f"users must have a row for each of the {count} cells at least, and 2 columns (x and y "
            f"in metres) or 3 (and the serving cell), got shape {table.shape}."
        )
    distance = distances(table[:, :2], cells.sites)
    _check_places(table[:, :2], distance, cells)
    if table.shape[1] == 2:
        serving = distance.argmin(1)
    else:
        serving = table[:, 2].astype(np.int64)
        wrong = (serving != table[:, 2]) | (serving < 0) | (serving >= count)
        if wrong.any():
            user = int(wrong.argmax())
            raise ValueError(
                f"users must be served by cells 0 to {count - 1}, got {table[user, 2]:g} for user "
                f"{user}."
            )
    served = np.bincount(serving, minlength=count)
    if not served.all():
        how = "as their nearest site" if table.shape[1] == 2 else "as their third column says"
        raise ValueError(
            f"users must include one of every cell at least, got none of cell "
            f"{int(served.argmin())} {how}."
        )
    return frozen(np.column_stack([table[:, :2], serving]))


def _check_places(users: NDArray[np.float64], distance: NDArray[np.float64], cells: Cells) -> None:
    # One cell more on every side: beyond it, coordinates are those of another place or unit.
    neighbors = distances(cells.sites, cells.sites)[cells.adjacency]
    margin = max(float(neighbors.max()), 2 * float(cells.radii_m.max()))
    low, high = cells.box[0] - margin, cells.box[1] + margin
    outside = ((users < low) | (users > high)).any(1)
    if outside.any():
        user = int(outside.argmax())
        raise ValueError(
            f"users must lie within x {low[0]:g} to {high[0]:g} and y {low[1]:g} to {high[1]:g} "
            f"metres (the sites and one cell around them), got user {user} at "
            f"({users[user, 0]:g}, {users[user, 1]:g})."
        )
    if distance.min() < LEAST_DISTANCE_M:
        near, site = np.unravel_index(int(distance.argmin()), distance.shape)
        raise ValueError(
            f"users must be at least {LEAST_DISTANCE_M:g} m from every site, got user {near} at "
            f"{distance.min():g} m from site {site}."
        )


def chosen_users(users: Users, num_cells: int, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(K, 2)` coordinates of one user per cell.

    Args:
        users: of `check_users`.
        num_cells: K.
        uniform: `(K,)` in 0 to 1; picks one of a cell's users, each as likely as the others.
    """
    table = np.array(users)
    order = np.argsort(table[:, 2], kind="stable")
    served = np.bincount(table[:, 2].astype(np.int64), minlength=num_cells)
    first = np.cumsum(served) - served
    return np.asarray(table[order[first + (uniform * served).astype(np.int64)], :2])
