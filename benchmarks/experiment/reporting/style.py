"""Names and colours of methods, the same in every figure and table."""

from __future__ import annotations

from typing import Final

from benchmarks.experiment.methods import METHODS, REFERENCES

__all__ = ["COLOURS", "MARKERS", "TASK_TITLES", "colour_of", "marker_of", "title_of"]

_ROWS: Final = {**METHODS, **REFERENCES}
COLOURS: Final = {name: row.colour for name, row in _ROWS.items() if row.colour is not None}
MARKERS: Final = {name: row.marker for name, row in _ROWS.items() if row.marker is not None}
#: Of methods that have no look of their own, say those of other packages, in the order in which a
#: report meets them: Paul Tol's, as far from the others as there are left.
_OTHER_COLOURS: Final = ("#4D4D4D", "#332288", "#44AA99", "#661100", "#AA4499", "#DDCC77")
_OTHER_MARKERS: Final = ("h", "<", ">", "p", "d", "8")
_MET: Final[dict[str, int]] = {}
TASK_TITLES: Final = {
    "rb": "Resource blocks", "cbf": "Coordinated beamforming", "slicing": "Network slicing",
    "rb-8": "Resource blocks, 8 nodes", "rb-9": "Resource blocks, 9 nodes",
    "rb-uneven": "Resource blocks, uneven load", "cbf-general": "Beamforming, any layout",
    "cbf-beam": "Beamforming, real beamformers",
}  # fmt: skip


def colour_of(method: str) -> str:
    """A method's colour; one of those that are left for one without.

    Example:
        >>> colour_of("networld"), colour_of("newcomer") in COLOURS.values()
        ('#0072B2', False)
    """
    return COLOURS.get(method) or _left(method, _OTHER_COLOURS)


def marker_of(method: str) -> str:
    """A method's marker; one of those that are left for one without."""
    return MARKERS.get(method) or _left(method, _OTHER_MARKERS)


def _left(method: str, looks: tuple[str, ...]) -> str:
    return looks[_MET.setdefault(method, len(_MET)) % len(looks)]


def title_of(method: str) -> str:
    """A method's name for people; that of another package's is its own.

    Example:
        >>> title_of("cql-mean-field"), title_of("bc-weighted"), title_of("expert")
        ('MA-CQL with mean field', 'MA-BC, good trajectories preferred', 'expert')
    """
    return _ROWS[method].title if method in _ROWS else method
