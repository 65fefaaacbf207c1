"""Learns and stores the shipped models: `python -m wirelessenvs.slicing` (some minutes)."""

from __future__ import annotations

from pathlib import Path

from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.model import SHIPPED, learn


def main() -> None:
    """Learns every shipped model, stores it beside this file and prints its best fixed split."""
    folder = Path(__file__).parent / "models"
    folder.mkdir(exist_ok=True)
    for file, preset, overrides in SHIPPED:
        config = SlicingConfig.from_preset(preset, **overrides)
        model = learn(config)
        model.save(folder / f"{file}.npz")
        split = ", ".join(f"{units * config.unit_hz / 1e6:g}" for units in model.static)
        print(f"{file}: best fixed split {split} MHz", flush=True)


if __name__ == "__main__":
    main()
