"""Names and colours of methods, the same in every figure and table."""

from __future__ import annotations

from typing import Final

__all__ = ["COLOURS", "MARKERS", "TASK_TITLES", "colour_of", "marker_of", "title_of"]

#: Okabe and Ito's palette, with a dark red and an olive of Paul Tol's: told apart without red-green
#: vision.
COLOURS: Final = {
    "networld": "#0072B2",
    "networld-scratch": "#56B4E9",
    "bc": "#7F7F7F",
    "cql": "#E69F00",
    "iql": "#009E73",
    "dt": "#D55E00",
    "dd": "#CC79A7",
    "dima": "#882255",
    "random": "#BBBBBB",
    "medium": "#8C8C8C",
    "heuristic": "#999933",
    "expert": "#222222",
    "genie": "#222222",
}
MARKERS: Final = {
    "networld": "o", "networld-scratch": "s", "bc": "P", "cql": "^", "iql": "v", "dt": "D",
    "dd": "X", "dima": "*",
}  # fmt: skip
#: Of a method that nobody has given a look yet: it must not stop a report.
_OTHER_COLOUR: Final = "#4D4D4D"
_OTHER_MARKER: Final = "h"
_TITLES: Final = {
    "heuristic": "best heuristic",
    "dima": "DIMA",
    "networld": "NetWorld",
    "networld-scratch": "NetWorld from scratch",
    "networld-no-guidance": "NetWorld without guidance",
    "networld-no-mean-field": "NetWorld without mean field",
    "networld-no-symlog": "NetWorld without symlog",
    "networld-one-hot": "NetWorld with one-hot targets",
    "networld-one-step": "NetWorld, one denoising step",
}
TASK_TITLES: Final = {
    "rb": "Resource blocks", "cbf": "Coordinated beamforming", "slicing": "Network slicing",
}  # fmt: skip


def colour_of(method: str) -> str:
    """A method's colour; dark grey for one without.

    Example:
        >>> colour_of("networld"), colour_of("newcomer")
        ('#0072B2', '#4D4D4D')
    """
    return COLOURS.get(method, _OTHER_COLOUR)


def marker_of(method: str) -> str:
    """A method's marker; a hexagon for one without."""
    return MARKERS.get(method, _OTHER_MARKER)


def title_of(method: str) -> str:
    """A method's name for people.

    Example:
        >>> title_of("cql-mean-field"), title_of("bc-weighted"), title_of("expert")
        ('MA-CQL with mean field', 'MA-BC, good trajectories preferred', 'expert')
    """
    if method in _TITLES:
        return _TITLES[method]
    if method.endswith("-weighted"):
        return f"{title_of(method.removesuffix('-weighted'))}, good trajectories preferred"
    name = method.removesuffix("-mean-field")
    if name in ("bc", "cql", "iql", "dt", "dd"):
        return f"MA-{name.upper()}" + (" with mean field" if name != method else "")
    return method
