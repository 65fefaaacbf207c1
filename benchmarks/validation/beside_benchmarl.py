"""Our MAPPO beside BenchMARL's (M. Bettini et al., JMLR 2024) on MPE2's simple_spread.

python -m benchmarks.validation.beside_benchmarl --json benchmarks/results/mappo-validation.json

needs `pip install benchmarl mpe2`, best in an environment of its own. Same environment, frames,
seeds and options where both have them; both end with 200 episodes of their best actions.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import imports_of, program
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.baselines.mappo.config import MappoConfig
    from benchmarks.baselines.mappo.train import train_mappo
    from benchmarks.baselines.online.evaluation import Evaluation, Setting, score_policy
    from benchmarks.records import write_figures
    from networld_agent.evaluation.scores import bootstrap_interval

__all__ = ["main"]

#: All agents share one reward: with rewards of their own, BenchMARL's agents would seek another
#: goal than our team.
_GAME: Final = {"N": 3, "local_ratio": 0.0, "max_cycles": 25}
_SETTING: Final = Setting("mpe2.simple_spread_v3:parallel_env", None, dict(_GAME))
_PACKAGES: Final = ("wirelessenvs", "torch", "numpy", "benchmarl", "torchrl", "mpe2")
_EPISODES: Final = 200
_ENVS: Final = 10
_FRAMES_PER_UPDATE: Final = 1000
_RATE, _GAMMA, _TRACE, _CLIP, _ENTROPY, _EPOCHS, _BATCH = 5e-4, 0.9, 0.95, 0.2, 0.01, 10, 250


def _ours(frames: int, seed: int) -> list[float]:
    config = MappoConfig(
        steps=frames, seed=seed, num_envs=_ENVS, rollout=_FRAMES_PER_UPDATE // _ENVS,
        learning_rate=_RATE, gamma=_GAMMA, trace=_TRACE, clip=_CLIP, entropy=_ENTROPY,
        epochs=_EPOCHS, batch_size=_BATCH, hidden_size=128,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        policy = train_mappo(_SETTING, config, Path(folder) / "run")
    returns: list[float] = score_policy(policy, _SETTING, Evaluation(_EPISODES))["returns"]
    return returns


def _environment(seed: int) -> Any:
    # BenchMARL looks for the game in a package that has moved to MPE2.
    from mpe2 import simple_spread_v3
    from torchrl.envs import PettingZooWrapper

    env = simple_spread_v3.parallel_env(**_GAME)
    return PettingZooWrapper(env, return_state=True, categorical_actions=True, seed=seed)


def _environments(num_envs: int, continuous_actions: bool, seed: int, device: Any) -> Any:  # noqa: ARG001
    """As BenchMARL asks a task for them; at module level, for it pickles them."""
    return lambda: _environment(seed)


def _theirs(frames: int, seed: int) -> list[float]:
    from benchmarl.algorithms import MappoConfig as PeerConfig
    from benchmarl.environments import PettingZooTask
    from benchmarl.experiment import Experiment, ExperimentConfig
    from benchmarl.models.mlp import MlpConfig
    from torchrl.envs.utils import ExplorationType, set_exploration_type

    task = PettingZooTask.SIMPLE_SPREAD.get_from_yaml()

    task.get_env_fun = _environments
    experiment = ExperimentConfig.get_from_yaml()
    for name, value in {
        "prefer_continuous_actions": False, "gamma": _GAMMA, "lr": _RATE, "clip_grad_val": 10,
        "max_n_frames": frames, "on_policy_collected_frames_per_batch": _FRAMES_PER_UPDATE,
        "on_policy_n_envs_per_worker": _ENVS, "on_policy_n_minibatch_iters": _EPOCHS,
        "on_policy_minibatch_size": _BATCH, "evaluation": False, "render": False, "loggers": [],
        "create_json": False, "adam_eps": 1e-5,
    }.items():  # fmt: skip
        setattr(experiment, name, value)
    method = PeerConfig.get_from_yaml()
    method.lmbda, method.entropy_coef, method.clip_epsilon = _TRACE, _ENTROPY, _CLIP
    network = MlpConfig.get_from_yaml()
    network.num_cells = [128, 128, 128]
    with tempfile.TemporaryDirectory() as folder:
        experiment.save_folder = folder
        peer = Experiment(
            task, method, network, seed, experiment, critic_model_config=MlpConfig.get_from_yaml()
        )
        peer.run()
    play, returns = _environment(1_000_000 + seed), []
    with set_exploration_type(ExplorationType.DETERMINISTIC):
        for _ in range(_EPISODES):
            rollout = play.rollout(_GAME["max_cycles"], peer.policy)
            rewards = rollout["next", "agent", "reward"]
            returns.append(float(rewards.mean(-2).sum()))
    return returns


def _validate(options: argparse.Namespace) -> None:
    check_int("--frames", options.frames, _FRAMES_PER_UPDATE)
    check_int("--seeds", options.seeds, 1)
    check_installed("benchmarl", "torchrl", "mpe2")
    machine = machine_lines(_PACKAGES)
    print("\n".join(machine))
    methods: dict[str, Callable[[int, int], list[float]]] = {"ours": _ours, "benchmarl": _theirs}
    rows: dict[str, list[list[float]]] = {name: [] for name in methods}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for seed in range(options.seeds):
        for name, method in methods.items():
            start = time.process_time()
            rows[name].append(method(options.frames, seed))
            seconds[name].append(time.process_time() - start)
        figures = {
            "game": _GAME,
            "frames": options.frames,
            "seeds": seed + 1,
            "episodes": _EPISODES,
            **_compared(rows),
            "cpu_seconds": seconds,
        }
        # After every seed: a run that is stopped keeps what it has.
        if options.json is not None:
            write_figures(options.json, [options.command], machine, figures)
    print(json.dumps(figures, indent=1))


def _compared(rows: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Means and differences of returns `[seed][episode]`, by whose they are."""
    gaps = np.array([np.mean(a) - np.mean(b) for a, b in zip(*rows.values(), strict=True)])
    return {
        "mean_return_per_seed": {
            name: [float(np.mean(returns)) for returns in runs] for name, runs in rows.items()
        },
        "mean_return": {name: float(np.mean(runs)) for name, runs in rows.items()},
        # Over episodes and seeds; few seeds say little of the next one.
        "interval": {
            name: list(bootstrap_interval(np.concatenate(runs))) for name, runs in rows.items()
        },
        "difference": float(gaps.mean()),
        "difference_deviation_over_seeds": float(gaps.std(ddof=1)) if len(gaps) > 1 else None,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.validation.beside_benchmarl"),
        description="Train our MAPPO and BenchMARL's on the same game, with the same budget.",
    )
    parser.add_argument("--frames", type=int, default=100_000, help="of each run (default: 100000)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--json", type=Path, help="write the result here")
    return run_command(_validate, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
