"""Beamforming algorithms on channel state: matched filter, max-SLNR, FP / WMMSE, codebook search.

All are pure functions of a batch. `channel` is `(B, K, K, N)` complex, BS, UE, antenna; UE k
receives `channel[b, i, k] @ w_i` from BS i, without conjugation. Beamformers are `(B, K, N)`
complex in sqrt(mW), powers in mW.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit

__all__ = [
    "coordinate_ascent",
    "greedy_codewords",
    "matched_filter",
    "max_slnr",
    "sum_rates",
    "wmmse",
]


def matched_filter(channel: NDArray[np.complex128], max_power_mw: float) -> NDArray[np.complex128]:
    """Full power in the direction of the own UE (maximum-ratio transmission)."""
    own = np.einsum("biin->bin", channel).conj()
    return _at_power(own, max_power_mw)


def max_slnr(
    channel: NDArray[np.complex128], noise_mw: float, max_power_mw: float
) -> NDArray[np.complex128]:
    """Full power in the direction of the largest signal-to-leakage-and-noise ratio.

    The direction is (sum_{k != i} h_ik^* h_ik^T + noise / Pmax I)^-1 h_ii^*.
    """
    cells, antennas = channel.shape[1], channel.shape[3]
    own = np.einsum("biin->bin", channel).conj()
    victims = channel * ~np.eye(cells, dtype=np.bool_)[..., None]
    leakage = victims.conj().swapaxes(2, 3) @ victims
    leakage += noise_mw / max_power_mw * np.eye(antennas)
    return _at_power(np.linalg.solve(leakage, own[..., None])[..., 0], max_power_mw)


def _at_power(beams: NDArray[Any], power_mw: float) -> NDArray[np.complex128]:
    norm = np.linalg.norm(beams, axis=-1, keepdims=True)
    return np.sqrt(power_mw) * beams / np.where(norm > 0, norm, 1)


def greedy_codewords(
    channel: NDArray[np.complex128], codewords: NDArray[np.complex128]
) -> NDArray[np.int64]:
    """`(B, K)` the codeword that every own UE receives best; the lowest of equal ones."""
    own = np.einsum("biin->bin", channel)
    return np.abs(own @ codewords).argmax(-1)


def sum_rates(
    channel: NDArray[np.complex128], beams: NDArray[np.complex128], noise_mw: float
) -> NDArray[np.float64]:
    """`(B,)` sum over cells of log2(1 + SINR) in bit/s/Hz."""
    received = np.abs(np.einsum("bikn,bin->bik", channel, beams)) ** 2
    own = np.einsum("bii->bi", received)
    others = np.where(np.eye(received.shape[1], dtype=np.bool_), 0.0, received).sum(1)
    return np.log2(1 + own / (others + noise_mw)).sum(1)


# --------------------------------------------------------------------------- codebook search
def coordinate_ascent(
    channel: NDArray[np.complex128],
    start: NDArray[np.int64],
    codewords: NDArray[np.complex128],
    levels_mw: NDArray[np.float64],
    noise_mw: float,
    sweeps: int = 6,
) -> NDArray[np.int64]:
    """Codebook actions after coordinate ascent on the sum rate, one BS at a time.

    Args:
        channel: `(B, K, K, N)`.
        start: `(B, K)` actions to begin with, beam times P plus power level.
        codewords: `(N, Q)`.
        levels_mw: `(P,)`.
        noise_mw: noise power.
        sweeps: over all BSs at most; fewer if one changes nothing.

    Returns:
        `(B, K)` actions whose sum rate is not below that of `start`.
    """
    # (B, K, Q, K): gain of each codeword of each BS at each UE.
    gains = np.abs(np.moveaxis(channel @ codewords, 3, 2)) ** 2
    actions = start.astype(np.int64)
    _coordinate_ascent(np.ascontiguousarray(gains), actions, levels_mw, noise_mw, sweeps)
    return actions


@njit(nogil=True, error_model="numpy")
def _log2_product(numerators, disturbances):  # type: ignore[no-untyped-def]
    """Sum of log2(1 + numerator / disturbance), with one logarithm per 8 terms."""
    total, product = 0.0, 1.0
    for k in range(numerators.shape[0]):
        product *= 1 + numerators[k] / disturbances[k]
        if k % 8 == 7:  # no configuration has an SINR above 1e31, so that 8 stay finite
            total += np.log2(product)
            product = 1.0
    return total + np.log2(product)


@njit(nogil=True, error_model="numpy")
def _coordinate_ascent(gains, actions, levels_mw, noise_mw, sweeps):  # type: ignore[no-untyped-def]
    cells, codes, num_levels = gains.shape[1], gains.shape[2], levels_mw.shape[0]
    received, own = np.empty((cells, cells)), np.empty(cells)
    others, disturbance = np.empty(cells), np.empty(cells)
    for b in range(gains.shape[0]):
        for i in range(cells):
            code, level = divmod(actions[b, i], num_levels)
            for k in range(cells):
                received[i, k] = levels_mw[level] * gains[b, i, code, k]
        for _ in range(sweeps):
            changed = False
            for i in range(cells):
                others[:] = noise_mw
                for j in range(cells):
                    if j != i:
                        for k in range(cells):
                            others[k] += 0.0 if j == k else received[j, k]
                    own[j] = received[j, j]
                # The action of now comes first: a candidate must be strictly better.
                best_action, best = actions[b, i], -1.0
                for candidate in range(-1, codes * num_levels):
                    action = actions[b, i] if candidate < 0 else candidate
                    code, level = divmod(action, num_levels)
                    if candidate > 0 and level == 0:
                        continue  # silent, as candidate 0 was
                    power = levels_mw[level]
                    for k in range(cells):
                        disturbance[k] = others[k] + power * gains[b, i, code, k]
                    disturbance[i] = others[i]
                    own[i] = power * gains[b, i, code, i]
                    value = _log2_product(own, disturbance)
                    if value > best * (1 + 1e-12):
                        best_action, best = action, value
                if best_action != actions[b, i]:
                    changed = True
                    actions[b, i] = best_action
                code, level = divmod(best_action, num_levels)
                for k in range(cells):
                    received[i, k] = levels_mw[level] * gains[b, i, code, k]
            if not changed:
                break


# ------------------------------------------------------------------------------- FP / WMMSE
def wmmse(
    channel: NDArray[np.complex128],
    start: NDArray[np.complex128],
    iterations: int,
    noise_mw: float,
    max_power_mw: float,
) -> NDArray[np.complex128]:
    """Beamformers after iterations of fractional programming on the sum rate.

    K. Shen, W. Yu, "Fractional Programming for Communication Systems, Part I: Power Control and
    Beamforming", IEEE Trans. Signal Process. 66(10), 2018; for one stream per UE its iterates
    are those of WMMSE (Q. Shi et al., IEEE Trans. Signal Process. 59(9), 2011). The sum rate
    never falls. A silent BS stays silent: start with every BS on air.

    Args:
        channel: `(B, K, K, N)`.
        start: `(B, K, N)` feasible beamformers.
        iterations: number of iterations.
        noise_mw: noise power.
        max_power_mw: limit of every BS.

    Returns:
        `(B, K, N)` feasible beamformers.
    """
    beams = np.array(start, dtype=np.complex128)
    _wmmse(np.ascontiguousarray(channel), beams, iterations, noise_mw, max_power_mw)
    return beams


@njit(nogil=True, error_model="numpy")
def _eigh(a, v):  # type: ignore[no-untyped-def]
    """Diagonalises the Hermitian `a` in place; columns of v: vectors.

    Up to four antennas by cyclic Jacobi rotations: LAPACK's call alone costs more. With more
    antennas than cells, where many eigenvalues are zero, these rotations no longer meet their
    stopping rule (rounding leaves more than that beside the diagonal), and LAPACK is faster.
    """
    n = a.shape[0]
    if n > 4:
        values, vectors = np.linalg.eigh(a)
        v[:] = vectors
        a[:] = 0.0
        for p in range(n):
            a[p, p] = values[p]
        return
    for p in range(n):
        for q in range(n):
            v[p, q] = 1.0 if p == q else 0.0
    for _ in range(60):
        off = trace = 0.0
        for p in range(n):
            trace += abs(a[p, p].real)
            for q in range(p):
                off += a[p, q].real ** 2 + a[p, q].imag ** 2
        if off <= 1e-32 * trace * trace:
            return
        for p in range(n - 1):
            for q in range(p + 1, n):
                size = np.hypot(a[p, q].real, a[p, q].imag)
                if size == 0.0:
                    continue
                turn = a[p, q].conjugate() / size
                theta = (a[q, q].real - a[p, p].real) / (2 * size)
                t = 1 / (abs(theta) + np.sqrt(theta * theta + 1))
                t = -t if theta < 0 else t
                c = 1 / np.sqrt(t * t + 1)
                s = t * c
                for k in range(n):  # columns
                    x, y = a[k, p], a[k, q] * turn
                    a[k, p], a[k, q] = c * x - s * y, s * x + c * y
                    x, y = v[k, p], v[k, q] * turn
                    v[k, p], v[k, q] = c * x - s * y, s * x + c * y
                back = turn.conjugate()
                for k in range(n):  # rows
                    x, y = a[p, k], a[q, k] * back
                    a[p, k], a[q, k] = c * x - s * y, s * x + c * y


@njit(nogil=True, error_model="numpy")
def _multiplier(values, weights, max_power_mw):  # type: ignore[no-untyped-def]
    """The least eta >= 0 with sum weights / (values + eta)^2 <= max_power_mw.

    Newton steps on the reciprocal norm, which is concave, rise to the root from the left.
    """
    eta = 0.0
    for n in range(values.shape[0]):  # one term alone must already fit
        eta = max(eta, np.sqrt(weights[n] / max_power_mw) - values[n])
    for _ in range(100):
        power = slope = 0.0
        for n in range(values.shape[0]):
            if weights[n] > 0.0:
                share = weights[n] / (values[n] + eta) ** 2
                power += share
                slope += share / (values[n] + eta)
        if not power > max_power_mw * (1 + 1e-14):
            break
        eta += power / slope * (np.sqrt(power / max_power_mw) - 1)
    return eta


@njit(nogil=True, error_model="numpy")
def _wmmse(channel, beams, iterations, noise_mw, max_power_mw):  # type: ignore[no-untyped-def]
    cells, antennas = beams.shape[1], beams.shape[2]
    own = np.empty(cells, np.complex128)
    total, disturbance = np.empty(cells), np.empty(cells)
    weight, drive = np.empty(cells), np.empty(cells, np.complex128)
    matrix = np.empty((antennas, antennas), np.complex128)
    vectors = np.empty((antennas, antennas), np.complex128)
    values, squares = np.empty(antennas), np.empty(antennas)
    turned = np.empty(antennas, np.complex128)
    for b in range(beams.shape[0]):
        h, w = channel[b], beams[b]
        for _ in range(iterations):
            disturbance[:] = noise_mw
            for i in range(cells):
                for k in range(cells):
                    a = 0j
                    for n in range(antennas):
                        a += h[i, k, n] * w[i, n]
                    if i == k:
                        own[k] = a
                    else:
                        disturbance[k] += a.real * a.real + a.imag * a.imag
            for k in range(cells):
                power = own[k].real ** 2 + own[k].imag ** 2
                total[k] = disturbance[k] + power
                # 1 + gamma = total / disturbance, without the cancelling difference
                y = np.sqrt(total[k] / disturbance[k]) * own[k] / total[k]
                weight[k] = y.real * y.real + y.imag * y.imag
                drive[k] = np.sqrt(total[k] / disturbance[k]) * y
            for i in range(cells):
                matrix[:] = 0.0
                for k in range(cells):
                    for n in range(antennas):
                        x = weight[k] * h[i, k, n].conjugate()
                        for m in range(n + 1):
                            matrix[n, m] += x * h[i, k, m]
                for n in range(antennas):
                    matrix[n, n] = matrix[n, n].real
                    for m in range(n):
                        matrix[m, n] = matrix[n, m].conjugate()
                _eigh(matrix, vectors)
                for n in range(antennas):
                    x = 0j
                    for m in range(antennas):
                        x += vectors[m, n].conjugate() * h[i, i, m].conjugate()
                    turned[n] = drive[i] * x
                    squares[n] = turned[n].real ** 2 + turned[n].imag ** 2
                    # Rounding may leave an eigenvalue of a semidefinite matrix below zero.
                    values[n] = max(matrix[n, n].real, 0.0)
                eta = _multiplier(values, squares, max_power_mw)
                norm2 = 0.0
                for m in range(antennas):
                    x = 0j
                    for n in range(antennas):
                        if squares[n] > 0.0:
                            x += vectors[m, n] * (turned[n] / (values[n] + eta))
                    w[i, m] = x
                    norm2 += x.real * x.real + x.imag * x.imag
                if norm2 > max_power_mw:
                    for m in range(antennas):
                        w[i, m] *= np.sqrt(max_power_mw / norm2)
