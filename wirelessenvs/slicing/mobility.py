"""Where users are: straight walks in a box, the nearest base station, the mean channel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit

__all__ = ["associate", "interference", "move", "path_loss_db"]


def path_loss_db(distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """145.4 + 37.5 log10(d / km): 3GPP TR 36.814, pico cells without line of sight."""
    return 145.4 + 37.5 * np.log10(np.maximum(distance_m, 1e-2) / 1000.0)


@njit(nogil=True)
def move(
    positions: NDArray[np.float64],
    displacement: NDArray[np.float64],
    half: NDArray[np.float64],
) -> None:
    """Moves users by their displacement per window, in place, with mirror reflection at the box.

    Args:
        positions: `(U, 2)` metres.
        displacement: `(U, 2)` metres per window; a component changes sign with each reflection.
        half: `(2,)` half width and half height of the box.
    """
    for user in range(positions.shape[0]):
        for axis in range(2):
            x = positions[user, axis] + displacement[user, axis]
            limit = half[axis]
            while x > limit or x < -limit:
                x = (2.0 * limit if x > limit else -2.0 * limit) - x
                displacement[user, axis] = -displacement[user, axis]
            positions[user, axis] = x


@njit(nogil=True)
def associate(
    positions: NDArray[np.float64],
    slices: NDArray[np.int8],
    sites: NDArray[np.float64],
    coverage_m: float,
    snr_at_1m: float,
    cells: NDArray[np.int32],
    log_snr: NDArray[np.float64],
    members: NDArray[np.int32],
    offsets: NDArray[np.int32],
) -> None:
    """Serves every user by the nearest base station and lists the users per (cell, slice).

    Args:
        positions: `(U, 2)`.
        slices: `(U,)` class of each user.
        sites: `(N, 2)` base stations.
        coverage_m: greatest serving distance.
        snr_at_1m: log10 of the mean SNR on one resource block at one metre.
        cells: `(U,)` receives the serving cell, -1 for none.
        log_snr: `(U,)` receives log10 of the mean SNR on one resource block.
        members: `(U,)` receives user ids sorted by (cell, slice, id), unserved users last.
        offsets: `(K N + 1,)` receives where each (cell, slice) begins.
    """
    num_cells = sites.shape[0]
    num_slices = (offsets.size - 1) // num_cells
    offsets[:] = 0
    for user in range(positions.shape[0]):
        x, y = positions[user, 0], positions[user, 1]
        nearest, least = -1, coverage_m * coverage_m
        for cell in range(num_cells):
            squared = (x - sites[cell, 0]) ** 2 + (y - sites[cell, 1]) ** 2
            if squared <= least and (squared < least or nearest < 0):
                nearest, least = cell, squared
        cells[user] = nearest
        log_snr[user] = snr_at_1m - 3.75 * 0.5 * math.log10(max(least, 1e-4))
        if nearest >= 0:
            offsets[num_slices * nearest + slices[user] + 1] += 1
    for group in range(num_slices * num_cells):
        offsets[group + 1] += offsets[group]
    place = offsets.copy()
    for user in range(positions.shape[0]):
        group = num_slices * (num_cells if cells[user] < 0 else cells[user])
        if cells[user] >= 0:
            group += slices[user]
        members[place[group]] = user
        place[group] += 1


@njit(nogil=True)
def interference(
    positions: NDArray[np.float64],
    cells: NDArray[np.int32],
    sites: NDArray[np.float64],
    load: NDArray[np.float64],
    snr_at_1m: float,
    received: NDArray[np.float64],
) -> None:
    """Mean power from the other cells at every user, over the noise on one resource block.

    A base station that serves a user sends its full power on that user's band, so another cell
    is heard with its full power for the share of its resource blocks that is in use.

    Args:
        positions: `(U, 2)`.
        cells: `(U,)` serving cells.
        sites: `(N, 2)`.
        load: `(N,)` share of the resource blocks in use.
        snr_at_1m: log10 of the mean SNR on one resource block at one metre.
        received: `(U,)` receives the result.
    """
    for user in range(positions.shape[0]):
        total = 0.0
        for cell in range(sites.shape[0]):
            if cell != cells[user] and load[cell] > 0.0:
                x, y = positions[user, 0] - sites[cell, 0], positions[user, 1] - sites[cell, 1]
                exponent = snr_at_1m - 3.75 * 0.5 * math.log10(max(x * x + y * y, 1e-4))
                total += load[cell] * 10.0**exponent
        received[user] = total
