"""Banks of channels: what somebody measured or traced, in one .npz file."""

from __future__ import annotations

import functools
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wirelessenvs.checks import as_array, check_matrix, reason, shown
from wirelessenvs.command import whole_file
from wirelessenvs.inputs import check_file

__all__ = ["ChannelBank", "load_bank", "save_bank"]

#: Of the own link, in some slot and antenna of a drop: 240 dB of loss.
_LEAST = 1e-12
_SHAPE = "(drops, slots, BSs, UEs, antennas)"


@dataclass(frozen=True, eq=False)
class ChannelBank:
    """Channels from every BS to every UE, slot by slot.

    Args:
        sha256: of the file.
        channel: `(D, T, N, 2, K * K)` float64, read-only: per drop and slot, antenna by antenna,
            real and imaginary parts of received over sent amplitude; links innermost (BS times K
            plus UE), as the kernels have them.
        users: `(D, K, 2)` UE coordinates in metres, or None.
    """

    sha256: str
    channel: NDArray[np.float64]
    users: NDArray[np.float64] | None

    @property
    def num_cells(self) -> int:
        """Number of BSs, and of UEs: UE k is served by BS k."""
        return round(self.channel.shape[-1] ** 0.5)

    @functools.cached_property
    def correlation(self) -> float:
        """Of a link's channel between two slots, over the whole bank; 1 for a single slot."""
        if self.channel.shape[1] == 1:
            return 1.0
        one, next_one = self.channel[:, :-1], self.channel[:, 1:]
        power = np.sqrt((one**2).sum() * (next_one**2).sum())
        return float((one * next_one).sum() / power) if power > 0 else 0.0


def save_bank(
    path: str | Path,
    H: ArrayLike,
    gain: ArrayLike | None = None,
    users: ArrayLike | None = None,
) -> Path:
    """Writes a bank, whole or not at all, after checking it.

    Args:
        path: ends with ".npz".
        H: complex `(D, T, K, K, N)`: drops, slots, BSs, UEs, antennas of a BS; or `(T, K, K, N)`
            of one drop. UE k is served by BS k and receives `H @ w`, without conjugation.
            Received over sent amplitude, so that powers of 1 mean no loss, or, with `gain`,
            small-scale fading of any scale. In each drop, UE k hears BS k in some slot with an
            amplitude of 1e-12 at least.
        gain: `(K, K)` or `(D, K, K)` large-scale power gains, linear, 0 to 1, which multiply
            |H|^2; None: H holds them.
        users: `(K, 2)` or `(D, K, 2)` UE coordinates in metres, for pictures.

    Raises:
        ValueError: for what does not fit, with what was expected.
    """
    given = {"H": H, "gain": gain, "users": users}
    arrays: dict[str, Any] = {
        name: as_array(name, value) for name, value in given.items() if value is not None
    }
    _checked(arrays, "bank")
    if not isinstance(path, (str, Path)):
        raise TypeError(f"path of a bank must be that of a file, got {shown(path)}.")
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"path of a bank must end with .npz, got {str(path)!r}.")
    with whole_file(target) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return target


def load_bank(value: Any, sha256: Any = None) -> ChannelBank:
    """The bank of a file; the last ones are kept in memory.

    Args:
        value: path.
        sha256: that the file must have, or None.

    Raises:
        TypeError: if `value` is no path.
        ValueError: for a file that is no bank or another one, with what was expected.
    """
    try:
        path = check_file("bank", value)
        found = path.stat()
        bank = _load(path, found.st_size, found.st_mtime_ns, found.st_ino)
    except ValueError as error:
        if sha256 is None:
            raise
        raise ValueError(f"{error} Its SHA-256 must be {shown(sha256)}.") from None
    if sha256 is not None and sha256 != bank.sha256:
        raise ValueError(
            f"bank must be the file with bank_sha256 {shown(sha256)}, got another one in "
            f"{shown(value)} ({bank.sha256})."
        )
    return bank


@functools.lru_cache(maxsize=2)
def _load(path: Path, *_: int) -> ChannelBank:
    place = f"bank {path}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not zipfile.is_zipfile(file):
            raise ValueError(
                f"{place} must be an .npz file with an array H, got another kind of file."
            )
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except Exception as error:  # damaged headers raise whatever Python's parsers do
            raise ValueError(
                f"{place} must be an .npz file with an array H ({reason(error)})."
            ) from None
    channel, users = _checked(arrays, place)
    drops, slots, cells, _, antennas = channel.shape
    by_link = channel.transpose(0, 1, 4, 2, 3).reshape(drops, slots, antennas, cells * cells)
    parts = np.stack([by_link.real, by_link.imag], axis=3)
    parts.setflags(write=False)
    return ChannelBank(digest, parts, users)


def _checked(
    arrays: dict[str, NDArray[Any]], place: str
) -> tuple[NDArray[np.complex128], NDArray[np.float64] | None]:
    """The channels `(D, T, K, K, N)` and users `(D, K, 2)`; raises for what does not fit."""
    unknown = set(arrays) - {"H", "gain", "users"}
    if "H" not in arrays or unknown:
        raise ValueError(
            f"{place} must hold the array H, and may hold gain and users, got "
            f"{', '.join(sorted(arrays)) or 'none'}."
        )
    H = arrays["H"]
    if H.dtype not in (np.complex64, np.complex128):
        raise ValueError(f"{place}: H must be complex64 or complex128, got {H.dtype}.")
    if H.ndim == 4:
        H = H[None]
    if H.ndim != 5 or H.shape[2] != H.shape[3] or H.shape[2] < 2 or 0 in H.shape:
        raise ValueError(
            f"{place}: H must have shape {_SHAPE} or that of one drop without the first, as many "
            f"UEs as BSs and 2 at least, got {arrays['H'].shape}."
        )
    if not np.isfinite(H).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(H))[0])
        raise ValueError(f"{place}: H must be finite, got {H[index]} at {index} of {_SHAPE}.")
    drops, _, cells, _, _ = H.shape
    channel = H.astype(np.complex128)
    if "gain" in arrays:
        gain = _spread(f"{place}: gain", arrays["gain"], drops, (cells, cells))
        if gain.min() < 0 or gain.max() > 1:
            raise ValueError(
                f"{place}: gain must hold linear power gains between 0 and 1 (10 ** (dB / 10)), "
                f"got {gain.min():g} to {gain.max():g}."
            )
        channel *= np.sqrt(gain)[:, None, :, :, None]
    most = float(np.abs(channel).max())
    if most > 1:
        raise ValueError(
            f"{place}: channels must be received over sent amplitudes, at most 1, got {most:g}: "
            "give large-scale gains as the array gain, or H in linear units."
        )
    own = np.abs(np.einsum("dtkkn->dtkn", channel)).max((1, 3))
    if own.min() < _LEAST:
        drop, k = (int(i) for i in np.argwhere(own < _LEAST)[0])
        raise ValueError(
            f"{place}: UE k must hear BS k, which serves it, in every drop with an amplitude of "
            f"{_LEAST:g} at least, got at most {own[drop, k]:g} of UE {k} in drop {drop}."
        )
    users = None
    if "users" in arrays:
        users = _spread(f"{place}: users", arrays["users"], drops, (cells, 2))
    return channel, users


def _spread(
    name: str, array: NDArray[Any], drops: int, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """`(D, *shape)` real numbers of an array that may have one entry for all drops."""
    if array.dtype.kind not in "iuf" or array.shape not in (shape, (drops, *shape)):
        raise ValueError(
            f"{name} must be real numbers of shape {shape} or {(drops, *shape)}, got "
            f"{array.dtype} of shape {array.shape}."
        )
    parts = [
        check_matrix(f"{name} of drop {d}", p) for d, p in enumerate(array.reshape(-1, *shape))
    ]
    return np.broadcast_to(np.stack(parts), (drops, *shape))
