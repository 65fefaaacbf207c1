"""Learns and stores the shipped models: `python -m wirelessenvs.slicing` (some minutes)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import check_targets, run, whole_file
from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.model import SHIPPED, learn


def _learn_all(options: argparse.Namespace) -> None:
    check_targets(*(options.out / f"{file}.npz" for file, _, _ in SHIPPED))
    for file, preset, overrides in SHIPPED:
        config = SlicingConfig.from_preset(preset, **overrides)
        model = learn(config)
        with whole_file(options.out / f"{file}.npz") as partial:
            model.save(partial)
        split = ", ".join(f"{units * config.unit_hz / 1e6:g}" for units in model.static)
        print(f"{file}: best fixed split {split} MHz", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Learns every shipped model, stores it and prints its best fixed split."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelessenvs.slicing", description="Learn the shipped models again."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent / "models",
        help="existing folder (default: that of the package)",
    )
    return run(_learn_all, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
