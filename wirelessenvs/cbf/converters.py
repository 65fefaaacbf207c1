"""Banks from ray tracers: DeepMIMO's data sets and the impulse responses of Sionna RT.

Neither package is needed here: their objects and arrays are taken as they are documented.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wirelessenvs.checks import as_array, check_int, check_real, real_array, shown

__all__ = ["from_deepmimo", "from_sionna", "serving_drops"]


def serving_drops(gain: ArrayLike, drops: int, seed: int = 0) -> NDArray[np.int64]:
    """Draws one user per BS and drop, among the users whom no other BS reaches better.

    Args:
        gain: `(K, R)` power gains from BSs to receivers, linear or in dB; nan where no path is. A
            receiver that has only nan, 0 or -inf is reached by none, and not drawn.
        drops: D.
        seed: of the draw.

    Returns:
        `(D, K)` receiver that each BS serves.

    Raises:
        ValueError: for a BS that is nobody's best.
    """
    table = real_array("gain", gain)
    if table.ndim != 2:
        raise ValueError(f"gain must have shape (BSs, receivers), got {table.shape}.")
    check_int("drops", drops, 1)
    check_int("seed", seed, 0)
    known = (np.isfinite(table) & (table != 0)).any(0)
    best = np.where(known, np.where(np.isnan(table), -np.inf, table).argmax(0), -1)
    rng = np.random.default_rng(seed)
    chosen = np.empty((drops, len(table)), np.int64)
    for bs in range(len(table)):
        members = np.flatnonzero(best == bs)
        if members.size == 0:
            raise ValueError(f"gain must make every BS some receiver's best, got none of BS {bs}.")
        chosen[:, bs] = rng.choice(members, drops)
    return chosen


def from_deepmimo(
    datasets: Sequence[Any], users: ArrayLike, subcarrier: int = 0
) -> dict[str, NDArray[Any]]:
    """Arguments of `save_bank` from data sets of DeepMIMO (version 4), one per BS.

    Powers there assume that 1 W is sent, and channels are divided by the root of the number of
    subcarriers, which is taken back: H is received over sent amplitude on one subcarrier.

    Args:
        datasets: K of them over the same receivers, each after `compute_channels()` in the
            frequency domain: `(receivers, receive antennas, BS antennas, subcarriers[, times])`.
        users: `(D, K)` index of the receiver that each BS serves in each drop (`serving_drops`);
            its first antenna is taken.
        subcarrier: index among those that were generated.

    Raises:
        ValueError: for data sets that do not fit each other or the users.
    """
    try:
        channels = [np.asarray(dataset.channel) for dataset in datasets]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise TypeError(
            "datasets must be a sequence of DeepMIMO's, each with a channel, got "
            f"{shown(datasets)}."
        ) from None
    count = len(datasets)
    shapes = {channel.shape for channel in channels}
    if count < 2 or len(shapes) != 1 or channels[0].ndim not in (4, 5):
        raise ValueError(
            "datasets must be 2 or more with channels of one shape (receivers, receive antennas, "
            f"BS antennas, subcarriers[, times]), got {sorted(shapes)}."
        )
    chosen = _users(users, count, channels[0].shape[0])
    check_int("subcarrier", subcarrier, 0, channels[0].shape[3] - 1)
    parts = []
    for dataset, channel in zip(datasets, channels, strict=True):
        picked = channel[chosen][:, :, 0, :, subcarrier]  # (D, K, N[, T])
        total = np.sqrt(float(dataset.ch_params.ofdm.subcarriers))
        parts.append(total * picked.reshape(*picked.shape[:3], -1))
    H = np.moveaxis(np.stack(parts, 1), -1, 1)  # (D, BS, UE, N, T) to (D, T, BS, UE, N)
    places = np.asarray(datasets[0].rx_pos, np.float64)[chosen, :2]
    return {"H": H.astype(np.complex64), "users": places}


def from_sionna(
    a: ArrayLike,
    tau: ArrayLike,
    users: ArrayLike | None = None,
    positions: ArrayLike | None = None,
    frequency_hz: float = 0.0,
) -> dict[str, NDArray[Any]]:
    """Arguments of `save_bank` from `a, tau = paths.cir(..., out_type="numpy")` of Sionna RT.

    H is the sum over paths of a exp(-j 2 pi f tau), the response at one baseband frequency f. The
    coefficients a hold the path loss, so that H is received over sent amplitude.

    Args:
        a: complex `(receivers, receive antennas, BSs, BS antennas, paths, times)`.
        tau: `(receivers, BSs, paths)` or `(receivers, receive antennas, BSs, BS antennas, paths)`
            delays in seconds; -1 where there is no path.
        users: `(D, K)` index of the receiver that each BS serves in each drop (`serving_drops`);
            None: receiver k is served by BS k. Its first antenna is taken.
        positions: `(receivers, 2 or 3)` in metres, for pictures.
        frequency_hz: f, from the carrier.

    Raises:
        ValueError: for arrays of other shapes.
    """
    taps, delays = as_array("a", a), real_array("tau", tau)
    check_real("frequency_hz", frequency_hz)
    if taps.ndim != 6 or taps.dtype.kind != "c":
        raise ValueError(
            "a must be complex of shape (receivers, receive antennas, BSs, BS antennas, paths, "
            f"times), got {taps.dtype} of shape {taps.shape}."
        )
    receivers, _, count, _, paths, _ = taps.shape
    if delays.shape == (receivers, count, paths):
        delays = delays[:, None, :, None, :]
    elif delays.shape != taps.shape[:5]:
        raise ValueError(
            f"tau must have shape {(receivers, count, paths)} or {taps.shape[:5]}, got "
            f"{delays.shape}."
        )
    phase = np.exp(-2j * np.pi * frequency_hz * np.where(delays < 0, 0.0, delays))
    there = np.broadcast_to(delays >= 0, taps.shape[:5])[..., None]
    response = np.where(there, taps * phase[..., None], 0).sum(4)[:, 0]  # (R, K, N, T)
    if users is None and receivers != count:
        raise ValueError(
            f"users must say whom each of the {count} BSs serves among {receivers} receivers, got "
            "None."
        )
    chosen = _users(np.arange(count)[None] if users is None else users, count, receivers)
    H = response[chosen].transpose(0, 4, 2, 1, 3)  # (D, UE, BS, N, T) to (D, T, BS, UE, N)
    bank: dict[str, NDArray[Any]] = {"H": np.ascontiguousarray(H, np.complex64)}
    if positions is not None:
        places = real_array("positions", positions)
        if places.ndim != 2 or len(places) != receivers:
            raise ValueError(f"positions must have {receivers} rows, got shape {places.shape}.")
        bank["users"] = places[chosen, :2]
    return bank


def _users(users: ArrayLike, count: int, receivers: int) -> NDArray[np.int64]:
    """Checked `(D, K)` indices of receivers."""
    chosen = as_array("users", users)
    if chosen.ndim != 2 or chosen.shape[1] != count or chosen.dtype.kind not in "iu":
        raise ValueError(f"users must be integers of shape (drops, {count}), got {shown(chosen)}.")
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= receivers:
        raise ValueError(f"users must be receivers 0 to {receivers - 1}, got {shown(chosen)}.")
    return chosen.astype(np.int64)
