"""What a piece is: a module that lists rows, each measured by one call."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from networld_agent.config import PRESETS
from wirelessenvs.checks import check_choice

__all__ = ["NAMES", "Piece", "Row", "Setting", "choose_pieces"]

#: Kinds of pieces in the order in which they are measured, and the presets that each has one for.
_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "ceilings": (),
    "parity": (),
    "training": ("paper", "cpu"),
    "unet": (),
    "planning": ("paper", "demo"),
    "planners": (),
    "loop": (),
    "baselines": (),
    "dima": (),
    "collecting": (),
}
NAMES: Final = tuple(_KINDS)
#: Comparisons with plain code for a CPU.
_CPU_ONLY: Final = ("unet", "planners", "dima")


@dataclass(frozen=True)
class Setting:
    """What the rows of a piece are measured at.

    Args:
        device: "cuda" or "cpu".
        preset: of `networld_agent.config`; "" where the piece has none.
        quick: sizes at which every row takes a second, to see that it works.
        threads: of torch on the CPU; 0 leaves its own choice.
    """

    device: str
    preset: str = ""
    quick: bool = False
    threads: int = 0


@dataclass(frozen=True)
class Row:
    """One measurement.

    Args:
        name: in the file and in tables.
        seconds: that it takes on an H100, warm-up included.
        work: measures; returns JSON values. `{"skipped": reason}` where it cannot be done here.
    """

    name: str
    seconds: float
    work: Callable[[], dict[str, Any]]


class _Module(Protocol):
    def rows(self, setting: Setting) -> Sequence[Row]: ...


@dataclass(frozen=True)
class Piece:
    """A kind of measurement at a setting."""

    kind: str
    setting: Setting

    @property
    def name(self) -> str:
        """Of its file, "training-paper"."""
        return "-".join(filter(None, (self.kind, self.setting.preset)))

    @property
    def module(self) -> str:
        """Where its rows are."""
        return f"benchmarks.speed.pieces.{self.kind}"

    def rows(self) -> list[Row]:
        """Its measurements in their order; cheap to list."""
        module: _Module = importlib.import_module(self.module)
        return list(module.rows(self.setting))


def choose_pieces(
    names: Sequence[str] | None,
    presets: Sequence[str] | None,
    device: str,
    quick: bool,
    threads: int = 0,
) -> list[Piece]:
    """The pieces of these names, in the order of measuring.

    Args:
        names: kinds ("training") or pieces ("training-paper"); by default all of the device.
        presets: in place of those that training and planning are measured at.
        device: "cuda" or "cpu".
        quick: tiny sizes; of presets, only the smallest.
        threads: of torch on the CPU; 0 leaves its own choice.

    Raises:
        ValueError: for an unknown name or preset, or one that is for a CPU alone.

    Example:
        >>> [piece.name for piece in choose_pieces(["planning"], None, "cpu", False)]
        ['planning-paper', 'planning-demo']
    """
    if presets is None and quick:
        presets = ("smoke",)
    for preset in presets or ():
        check_choice("--preset", preset, tuple(PRESETS))
    pieces = [
        Piece(kind, Setting(device, preset, quick, threads))
        for kind, usual in _KINDS.items()
        if device == "cpu" or kind not in _CPU_ONLY
        for preset in ((presets or usual) if usual else ("",))
    ]
    known = (*NAMES, *(piece.name for piece in pieces if piece.setting.preset))
    for name in names or ():
        check_choice("--pieces", name, known)
        if device != "cpu" and name in _CPU_ONLY:
            raise ValueError(f"--pieces {name} is for --device cpu.")
    return [p for p in pieces if names is None or p.kind in names or p.name in names]
