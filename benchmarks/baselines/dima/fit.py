"""Trains DIMA on a stored data set, its policy in imagination alone.

python -m benchmarks.baselines.dima.fit --data data/rb-expert --trajectories 10 --out runs/rb-dima

`python -m benchmarks.baselines.mappo.evaluate --run runs/rb-dima --env rb-v0` scores it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from wirelessenvs.command import imports_of, program, run

with imports_of(__name__):
    from benchmarks.baselines.dima.offline import Dima, OfflineConfig
    from benchmarks.baselines.shared.options import add_data, add_training, config_of, data_of

__all__ = ["main"]


def _fit(options: argparse.Namespace) -> None:
    config = config_of(OfflineConfig, options)
    data = data_of(options)
    policy = Dima().fit(data, config, options.out)
    print(
        f"{options.out} is complete: dima on {len(data.episodes)} trajectories of "
        f"{data.num_steps} steps, {config.model_steps} updates of the model, "
        f"{config.steps - config.model_steps} of the policy, {policy.parameters} weights that act."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.baselines.dima.fit"),
        description="Train DIMA on a stored data set, its policy in imagination alone.",
    )
    add_data(parser)
    add_training(parser, "updates of model and policy (default: 4000)")
    return run(_fit, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
