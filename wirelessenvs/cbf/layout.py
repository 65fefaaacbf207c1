"""Where the UEs stand and how strong and how wide each link is: what an episode keeps fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.users import chosen_users

__all__ = [
    "Layout",
    "base_stations",
    "bearings",
    "fading_factors",
    "layout_of",
    "path_loss_db",
    "published_layout",
    "random_layout",
]


@dataclass(frozen=True)
class Layout:
    """Large-scale description of all links; first link axis: BS, second: UE.

    Args:
        ue_positions: `(K, 2)` in metres.
        path_gain: `(K, K)` linear power gain, shadowing included.
        departure_angles: `(K, K, L)` angle of departure of each path in radians.
    """

    ue_positions: NDArray[np.float64]
    path_gain: NDArray[np.float64]
    departure_angles: NDArray[np.float64]


def base_stations(config: CBFConfig) -> NDArray[np.float64]:
    """`(K, 2)` BS coordinates in metres."""
    return config.cells.sites


def random_layout(config: CBFConfig, rng: np.random.Generator) -> Layout:
    """A layout drawn as the paper describes it, from a modern generator."""
    cells, paths = config.num_cells, config.num_paths
    drop = rng.random((cells, 2))
    shadowing_db = rng.normal(0, config.shadowing_db, (cells, cells))
    return _layout(config, drop, shadowing_db, rng.random((cells, cells, paths)))


def published_layout(config: CBFConfig) -> Layout:
    """The layout that the published code draws after seeding NumPy with `layout_seed`.

    The recipe is that of the code: six integers per BS (of no effect), azimuth and distance per
    UE, then per link the shadowing, the angles and the first gains. The first gains are drawn
    and dropped here, since every episode has its own fading.
    """
    assert config.layout_seed is not None
    # A local legacy generator: NumPy freezes its stream for good, and global state stays untouched.
    rng = np.random.RandomState(config.layout_seed)
    cells, paths = config.num_cells, config.num_paths
    for _ in range(cells):
        rng.randint(10_000_000, size=6)
    drop = rng.rand(cells, 2)
    shadowing_db = np.empty((cells, cells))
    spread = np.empty((cells, cells, paths))
    for bs, ue in np.ndindex(cells, cells):
        shadowing_db[bs, ue] = rng.normal(0, config.shadowing_db)
        spread[bs, ue] = rng.rand(paths)
        rng.randn(2, paths)
    return _layout(config, drop, shadowing_db, spread)


def _layout(
    config: CBFConfig,
    drop: NDArray[np.float64],
    shadowing_db: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> Layout:
    """The layout that uniform `drop` (K, 2), `spread` (K, K, L) and the shadowing stand for."""
    if config.users is None:
        users = _dropped_users(config, drop)
    else:
        users = chosen_users(config.users, config.num_cells, drop[:, 0])
    return layout_of(config, users, shadowing_db, spread)


def _dropped_users(config: CBFConfig, drop: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(K, 2)` coordinates around the BSs."""
    cells = config.cells
    azimuth = 2 * np.pi * drop[:, 0]
    # Uniform in the radius, not in the area: the published rule.
    radius_m = config.min_distance_m + drop[:, 1] * (cells.radii_m - config.min_distance_m)
    direction = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    users: NDArray[np.float64] = cells.sites + radius_m[:, None] * direction
    return users


def layout_of(
    config: CBFConfig,
    users: NDArray[np.float64],
    shadowing_db: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> Layout:
    """The links between BSs and UEs.

    Args:
        config: of the task.
        users: `(K, 2)` UE coordinates in metres.
        shadowing_db: `(K, K)` loss beside that of the path.
        spread: `(K, K, L)` uniform numbers that the paths' directions follow from.
    """
    bearing, distance = bearings(config, users)
    loss_db = path_loss_db(config, distance)
    # No link receives more than was sent, however odd the constants: keeps float32 finite.
    path_gain = np.minimum(10 ** (-(loss_db + shadowing_db) / 10), 1.0)
    width = np.deg2rad(config.angular_spread_deg)
    deviation = (spread - 0.5) * width if config.symmetric_spread else (0.5 * spread - 1) * width
    return Layout(users, path_gain, bearing[..., None] + deviation)


def bearings(
    config: CBFConfig, users: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(K, K)` directions in radians and distances in metres from BSs to UEs `(K, 2)`."""
    offset = users[None] - base_stations(config)[:, None]
    x, y = offset[..., 0], offset[..., 1]
    return np.arctan2(y, x), np.hypot(x, y)


def path_loss_db(config: CBFConfig, distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean path loss in dB over distances in metres."""
    loss_db: NDArray[np.float64] = np.log10(distance_m / 1000) * config.path_loss_slope_db
    return config.path_loss_intercept_db + loss_db


def fading_factors(layout: Layout, num_antennas: int) -> NDArray[np.float64]:
    """Factors F with F F^H = beta / 2 * sum_l a_l a_l^H, which turn normals into fading.

    A link's channel is a sum of L paths with independent Gaussian gains, so that a Gaussian
    vector in C^N with this covariance is the same thing in distribution, and N (N+1)/2 products
    replace N L. F^H is the triangular factor of a QR decomposition: a Cholesky factor of the
    covariance would fail, since paths a few degrees apart are nearly parallel.

    Args:
        layout: of one environment.
        num_antennas: N.

    Returns:
        `(2, N, M, K * K)` real and imaginary parts of the lower-triangular F, M = min(N, L),
        links innermost (BS times K plus UE).
    """
    antenna = np.arange(num_antennas)
    phase = np.pi * np.cos(layout.departure_angles)[..., None] * antenna
    paths = np.exp(-1j * phase) / np.sqrt(num_antennas)  # (K, K, L, N): A^H
    triangle: NDArray[np.complex128] = np.linalg.qr(paths, mode="r")  # type: ignore[assignment]
    factor = np.sqrt(layout.path_gain / 2)[..., None, None] * triangle.conj()
    links = factor.shape[0] * factor.shape[1]
    by_link = factor.transpose(3, 2, 0, 1).reshape(num_antennas, -1, links)
    return np.ascontiguousarray(np.stack([by_link.real, by_link.imag]))
