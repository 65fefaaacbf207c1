"""Scores stored policies of online methods, all on the same episodes.

python -m benchmarks.baselines.mappo.evaluate --run runs/rb-mappo --env rb-v0
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from benchmarks.baselines import load_policy
    from benchmarks.baselines.online.evaluation import score_policy
    from benchmarks.baselines.online.options import (
        add_environment,
        add_evaluation,
        evaluation_of,
        setting_of,
    )
    from benchmarks.baselines.online.run import report

__all__ = ["main"]


def _evaluate(options: argparse.Namespace) -> None:
    setting, evaluation = setting_of(options), evaluation_of(options)
    references: dict[str, list[float]] | None = None
    for folder in options.run:
        policy = load_policy(folder)
        scores = score_policy(policy, setting, evaluation, references)
        references = scores["references"]
        print(report(policy.name, folder, scores))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.baselines.mappo.evaluate"),
        description="Score stored policies on the same episodes.",
    )
    parser.add_argument(
        "--run", type=Path, action="append", required=True,
        help="folder of a run or of a policy; repeatable, one row each",
    )  # fmt: skip
    add_environment(parser)
    add_evaluation(parser)
    return run(_evaluate, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
