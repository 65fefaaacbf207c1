"""The slot of coordinated beamforming, compiled: beams, measurement, reward, fading, observation.

Complex arrays are split into real and imaginary planes with the links innermost, so that every
long loop runs over contiguous memory. No kernel draws random numbers; all skip environments that
are not active. Fast-math stays off: results must not depend on batch size or machine mood.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit

__all__ = [
    "State",
    "advance",
    "begin",
    "set_beams",
    "set_codebook_beams",
    "write_observations",
]

#: Own entries of the official observation, then entries per interferer and per interfered UE.
OWN, PER_INTERFERER, PER_INTERFERED = 7, 4, 3
#: Below this share of the power limit a beamformer counts as silent: it has no usable direction.
_SILENT = 1e-30
#: SINRs are told down to -100 dB, so that their mean is a number where a BS is silent.
_LEAST_SINR = 1e-10


class State(NamedTuple):
    """All that changes from slot to slot; K cells, N antennas, U interferers, B environments."""

    #: `(B, 2, N, K, K)` channel of the slot to come: part, antenna, BS, UE.
    channel: NDArray[np.float64]
    #: `(B, 2, N, K, K)` channel of the slot that is finished.
    finished_channel: NDArray[np.float64]
    #: `(B, 2, N, K)` unit-norm beams of the finished slot: part, antenna, BS.
    beams: NDArray[np.float64]
    #: `(B, K)` transmit powers of the finished slot in mW.
    power_mw: NDArray[np.float64]
    #: `(B, K)` codeword of each beam, or the nearest one.
    code: NDArray[np.int64]
    #: `(B, K, D)` observations in natural units: mW, bit/s/Hz, linear gains.
    features: NDArray[np.float64]
    #: `(B, K, U)` BSs that interfered most in the finished slot, strongest first.
    interferers: NDArray[np.int64]
    #: `(B, K, U)` UEs that each BS disturbed most in the finished slot, strongest first.
    interfered: NDArray[np.int64]

    def of(self, env: int) -> State:
        """One environment as a batch of one; the arrays are views."""
        views: Any = (array[env : env + 1] for array in self)
        return State(*views)


@njit(nogil=True, error_model="numpy")
def set_codebook_beams(state, actions, codewords, levels_mw, active):  # type: ignore[no-untyped-def]
    """Puts the beams of codebook actions `(B, K)` on air.

    `codewords` are `(2, N, Q)`, `levels_mw` `(P,)`.
    """
    num_levels = levels_mw.shape[0]
    for b in range(actions.shape[0]):
        if not active[b]:
            continue
        for i in range(actions.shape[1]):
            q = actions[b, i] // num_levels
            state.power_mw[b, i] = levels_mw[actions[b, i] - q * num_levels]
            state.code[b, i] = q
            for n in range(codewords.shape[1]):
                state.beams[b, 0, n, i] = codewords[0, n, q]
                state.beams[b, 1, n, i] = codewords[1, n, q]


@njit(nogil=True, error_model="numpy")
def set_beams(state, actions, codewords, max_power_mw, active):  # type: ignore[no-untyped-def]
    """Puts beamformers `(B, K, 2 N)` (N real parts, N imaginary parts, sqrt(mW)) on air.

    Powers above the limit are scaled back. The beam index is that of the best-aligned codeword;
    a silent BS is measured with codeword 0.
    """
    antennas, num_codes = codewords.shape[1], codewords.shape[2]
    for b in range(actions.shape[0]):
        if not active[b]:
            continue
        for i in range(actions.shape[1]):
            norm2 = 0.0
            for n in range(2 * antennas):
                norm2 += actions[b, i, n] * actions[b, i, n]
            silent = norm2 <= _SILENT * max_power_mw
            scale = 0.0 if silent else 1 / np.sqrt(norm2)
            state.power_mw[b, i] = 0.0 if silent else min(norm2, max_power_mw)
            best, best_code = -1.0, 0
            for q in range(num_codes):
                re = im = 0.0
                for n in range(antennas):
                    x, y = scale * actions[b, i, n], scale * actions[b, i, antennas + n]
                    re += codewords[0, n, q] * x + codewords[1, n, q] * y
                    im += codewords[0, n, q] * y - codewords[1, n, q] * x
                # A hair of tolerance keeps exact ties at the lowest index despite rounding.
                if re * re + im * im > best + 1e-12:
                    best, best_code = re * re + im * im, q
            state.code[b, i] = best_code
            for n in range(antennas):
                x, y = scale * actions[b, i, n], scale * actions[b, i, antennas + n]
                state.beams[b, 0, n, i] = codewords[0, n, 0] if silent else x
                state.beams[b, 1, n, i] = codewords[1, n, 0] if silent else y


@njit(nogil=True, error_model="numpy")
def _measure(state, b, noise_mw, gain, received, interference, re, im):  # type: ignore[no-untyped-def]
    """Fills gain |h c|^2 and received power `(K, K)`, and interference plus noise `(K,)`."""
    cells = gain.shape[0]
    interference[:] = noise_mw
    for i in range(cells):
        re[:] = 0.0
        im[:] = 0.0
        for n in range(state.beams.shape[2]):
            x, y = state.beams[b, 0, n, i], state.beams[b, 1, n, i]
            for k in range(cells):
                h, g = state.channel[b, 0, n, i, k], state.channel[b, 1, n, i, k]
                re[k] += h * x - g * y
                im[k] += h * y + g * x
        power = state.power_mw[b, i]
        for k in range(cells):
            gain[i, k] = re[k] * re[k] + im[k] * im[k]
            received[i, k] = power * gain[i, k]
            # Summing the others instead of subtracting the signal from the total: a strong
            # signal would leave only rounding errors of the interference.
            interference[k] += 0.0 if i == k else received[i, k]


@njit(nogil=True, error_model="numpy")
def _strongest(values, skip, order, best):  # type: ignore[no-untyped-def]
    """Fills `order` with the indices of the largest values but `skip`, ties to the lower index."""
    size, count = order.shape[0], 0
    for j in range(values.shape[0]):
        value = values[j]
        if j == skip or (count == size and value <= best[size - 1]):
            continue
        place = count if count < size else size - 1
        count = min(count + 1, size)
        while place > 0 and value > best[place - 1]:
            best[place], order[place] = best[place - 1], order[place - 1]
            place -= 1
        best[place], order[place] = value, j


@njit(nogil=True, error_model="numpy")
def _fade(state, b, factors, noise, rho, scale):  # type: ignore[no-untyped-def]
    """Moves the channel one slot on: h <- rho h + scale F z, with z of environment b."""
    cells = state.channel.shape[3]
    f = b if factors.shape[0] > 1 else 0  # one layout may serve all environments
    for n in range(state.channel.shape[2]):
        re = state.channel[b, 0, n].reshape(cells * cells)
        im = state.channel[b, 1, n].reshape(cells * cells)
        old_re = state.finished_channel[b, 0, n].reshape(cells * cells)
        old_im = state.finished_channel[b, 1, n].reshape(cells * cells)
        for k in range(re.shape[0]):
            old_re[k], old_im[k] = re[k], im[k]
            re[k] *= rho
            im[k] *= rho
        for m in range(min(n + 1, noise.shape[1])):  # F is lower triangular
            fr, fi = factors[f, 0, n, m], factors[f, 1, n, m]
            zr, zi = noise[b, m, 0], noise[b, m, 1]
            for k in range(re.shape[0]):
                re[k] += scale * (fr[k] * zr[k] - fi[k] * zi[k])
                im[k] += scale * (fr[k] * zi[k] + fi[k] * zr[k])


@njit(nogil=True, error_model="numpy")
def _record_first_half(state, b, codewords, gain, interference):  # type: ignore[no-untyped-def]
    """Own entries measured after fading with the old beams, and the beam sweep if asked for."""
    cells, antennas = state.code.shape[1], codewords.shape[1]
    official = OWN + (2 * PER_INTERFERER + PER_INTERFERED) * state.interferers.shape[2]
    for i in range(cells):
        row = state.features[b, i]
        row[4], row[6] = row[3], row[5]
        row[3], row[5] = gain[i, i], interference[i]
        for q in range(row.shape[0] - official):
            re = im = 0.0
            for n in range(antennas):
                h, g = state.channel[b, 0, n, i, i], state.channel[b, 1, n, i, i]
                re += h * codewords[0, n, q] - g * codewords[1, n, q]
                im += h * codewords[1, n, q] + g * codewords[0, n, q]
            row[official + q] = re * re + im * im


@njit(nogil=True, error_model="numpy")
def _record_second_half(state, b, gain, received, interference, rate):  # type: ignore[no-untyped-def]
    """Entries measured at the end of a slot with the new beams."""
    cells, size = state.interferers.shape[1], state.interferers.shape[2]
    span = PER_INTERFERER * size
    for i in range(cells):
        row = state.features[b, i]
        row[0], row[1], row[2] = state.power_mw[b, i], state.code[b, i], rate[i]
        for d in range(OWN, OWN + span):
            row[d + span] = row[d]
        for u in range(size):
            j, at = state.interferers[b, i, u], OWN + PER_INTERFERER * u
            row[at], row[at + 1] = j, received[j, i]
            row[at + 2], row[at + 3] = state.code[b, j], rate[j]
            k, at = state.interfered[b, i, u], OWN + 2 * span + PER_INTERFERED * u
            row[at], row[at + 1] = gain[i, k], rate[k]
            row[at + 2] = received[i, k] / interference[k]


@njit(nogil=True, error_model="numpy")
def begin(state, factors, noise, scale, codewords, noise_mw, active):  # type: ignore[no-untyped-def]
    """Draws the first channel from `noise` (see `advance`) and measures it with the beams on air.

    Features of slots before the first are zero.
    """
    cells = state.code.shape[1]
    gain, received = np.empty((cells, cells)), np.empty((cells, cells))
    interference, re, im = np.empty(cells), np.empty(cells), np.empty(cells)
    for b in range(state.code.shape[0]):
        if not active[b]:
            continue
        state.channel[b] = 0.0
        state.features[b] = 0.0
        _fade(state, b, factors, noise, 0.0, scale)
        _measure(state, b, noise_mw, gain, received, interference, re, im)
        _record_first_half(state, b, codewords, gain, interference)


@njit(nogil=True, error_model="numpy")
def advance(state, factors, noise, rho, scale, codewords, noise_mw, max_power_mw, active, out):  # type: ignore[no-untyped-def]
    """One slot: measurement with the beams on air, rewards, then fading and the next measurement.

    Args:
        state: with the new beams already set.
        factors: `(B or 1, 2, N, M, K * K)` of `fading_factors`.
        noise: `(B, M, 2, K * K)` standard normals.
        rho: correlation of the fading.
        scale: of the innovation.
        codewords: `(2, N, Q)`.
        noise_mw: noise power.
        max_power_mw: power limit.
        active: `(B,)`.
        out: `(5, B, K)` rewards, rates in bit/s/Hz, powers as a share of the limit, interference
            plus noise in dB above the noise, signal over both in dB; written where active.
    """
    cells, size = state.interferers.shape[1], state.interferers.shape[2]
    gain, received = np.empty((cells, cells)), np.empty((cells, cells))
    interference, re, im = np.empty(cells), np.empty(cells), np.empty(cells)
    rate, best = np.empty(cells), np.empty(size)
    for b in range(state.code.shape[0]):
        if not active[b]:
            continue
        _measure(state, b, noise_mw, gain, received, interference, re, im)
        for i in range(cells):
            rate[i] = np.log2(1 + received[i, i] / interference[i])
            _strongest(received[:, i], i, state.interferers[b, i], best)
            _strongest(received[i], i, state.interfered[b, i], best)
        for i in range(cells):
            harm = 0.0
            for u in range(size):
                k = state.interfered[b, i, u]
                # Float64 and the floor matter: in float32 the difference turns negative.
                others = max(interference[k] - received[i, k], noise_mw)
                harm += np.log2(1 + received[k, k] / others) - rate[k]
            out[0, b, i] = rate[i] - harm
            out[1, b, i] = rate[i]
            out[2, b, i] = state.power_mw[b, i] / max_power_mw
            out[3, b, i] = 10 * np.log10(interference[i] / noise_mw)
            out[4, b, i] = 10 * np.log10(max(received[i, i] / interference[i], _LEAST_SINR))
        _record_second_half(state, b, gain, received, interference, rate)
        _fade(state, b, factors, noise, rho, scale)
        _measure(state, b, noise_mw, gain, received, interference, re, im)
        _record_first_half(state, b, codewords, gain, interference)


@njit(nogil=True, error_model="numpy")
def write_observations(features, scale, logarithmic, observations):  # type: ignore[no-untyped-def]
    """Turns natural units into float32 observations.

    Args:
        features: `(B, K, D)`.
        scale: `(D,)`.
        logarithmic: `(D,)` booleans: true for log10(1 + scale x) / 5, i.e. dB / 50, which is
            zero where nothing is received; false for scale x.
        observations: `(B, K, D)` float32, written.
    """
    for b in range(features.shape[0]):
        for i in range(features.shape[1]):
            for d in range(features.shape[2]):
                value = scale[d] * features[b, i, d]
                observations[b, i, d] = np.log10(1 + value) / 5 if logarithmic[d] else value
