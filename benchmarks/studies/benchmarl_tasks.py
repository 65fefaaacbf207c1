"""BenchMARL's algorithms beside our MAPPO and IPPO, after equal numbers of environment steps.

python -m benchmarks.studies.benchmarl_tasks --tasks rb --seeds 1 2 --out runs/benchmarl \
        --pieces benchmarks/results/benchmarl

Every finished run is a file of its own, and the same command goes on with what is missing. With
`--report` nothing is trained: the files there are become a table. All play the test worlds of
`benchmarks.baselines.mappo.train`, with their best actions. MADDPG needs real-valued actions
(BenchMARL has none with discrete ones) and gets them: fair shares, beams or bandwidths.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import add_pieces, run_command
from wirelessenvs.actions import from_unit
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import imports_of, program
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import make_simulator

with imports_of(__name__):
    import torch

    from benchmarks.baselines.mappo.config import MappoConfig
    from benchmarks.baselines.online.evaluation import (
        Evaluation,
        Setting,
        play_references,
        score_player,
    )
    from benchmarks.baselines.online.run import load_policy
    from benchmarks.markdown import table_lines
    from benchmarks.records import known_pieces, remembered
    from benchmarks.studies.online_pieces import train_piece
    from networld_agent.evaluation.players import Player
    from networld_agent.worlds.interface import Worlds

__all__ = ["main"]

#: Of a piece, for the table and the figure.
_NEEDED: Final = ("task", "method", "seed", "frames", "score", "reward", "cpu_seconds")

#: Methods, and whether they act with real numbers.
_METHODS: Final[dict[str, bool]] = {
    "mappo": False,
    "ippo": False,
    "benchmarl-mappo": False,
    "benchmarl-ippo": False,
    "benchmarl-qmix": False,
    "benchmarl-maddpg": True,
}
#: Id of each task, and what makes its actions discrete or real-valued.
_TASKS: Final[dict[str, tuple[str, dict[bool, dict[str, Any]]]]] = {
    "rb": ("rb-v0", {False: {}, True: {"units": "fair-share"}}),
    "cbf": ("cbf-v0", {False: {}, True: {"action": "beam"}}),
    "slicing": ("slicing-v0", {False: {"action": "discrete"}, True: {}}),
}
#: Discount: found best for MAPPO in each task, see docs/dima.md.
_GAMMA: Final = {"rb": 0.9, "cbf": 0.99, "slicing": 0.0}
_LENGTH: Final = 200
_ENVS: Final = 10
_FRAMES: Final = 1000
_EPOCHS: Final = 10
#: Joint transitions per update; off-policy, so many updates after every thousand frames.
_BATCH, _UPDATES = 256, 100
_RATE, _ENTROPY = 5e-4, 0.01
_PACKAGES: Final = ("wirelessenvs", "torch", "numpy", "benchmarl", "torchrl")


class BenchmarlPlayer:
    """A policy that BenchMARL has trained, as the evaluation plays any other.

    Args:
        name: in tables.
        policy: of all agents, from observations to actions.
    """

    information = "local"
    bytes_per_step = 0.0

    def __init__(self, name: str, policy: Any) -> None:
        self.name, self._policy = name, policy

    def begin(self, seeds: Sequence[int]) -> None:
        """Nothing: it has no memory."""

    @torch.no_grad()
    def act(
        self,
        worlds: Worlds,
        observations: NDArray[np.float32],
    ) -> NDArray[Any]:
        """Its best actions."""
        from tensordict import TensorDict
        from torchrl.envs.utils import ExplorationType, set_exploration_type

        from wirelessenvs.benchmarl import symlog

        seen = {"observation": symlog(torch.from_numpy(observations))}
        agents = TensorDict(seen, observations.shape[:2])
        with set_exploration_type(ExplorationType.DETERMINISTIC):
            acted = self._policy(TensorDict({"agents": agents}, observations.shape[:1]))
        actions: NDArray[Any] = acted["agents", "action"].numpy()
        space = worlds.action_space
        return from_unit(actions, space) if isinstance(space, gymnasium.spaces.Box) else actions


def _theirs(task: str, method: str, frames: int, seed: int) -> tuple[Player, float]:
    """A policy that BenchMARL has trained, and its processor seconds."""
    from benchmarl.algorithms import algorithm_config_registry
    from benchmarl.experiment import Experiment, ExperimentConfig
    from benchmarl.models.mlp import MlpConfig

    from wirelessenvs.benchmarl import WirelessTask

    name, real = method.removeprefix("benchmarl-"), _METHODS[method]
    config, algorithm = (
        ExperimentConfig.get_from_yaml(),
        algorithm_config_registry[name].get_from_yaml(),
    )
    for key, value in {
        "prefer_continuous_actions": real, "gamma": _GAMMA[task], "lr": _RATE,
        "max_n_frames": frames, "on_policy_collected_frames_per_batch": _FRAMES,
        "on_policy_n_envs_per_worker": _ENVS, "on_policy_n_minibatch_iters": _EPOCHS,
        "on_policy_minibatch_size": _BATCH, "off_policy_collected_frames_per_batch": _FRAMES,
        "off_policy_n_envs_per_worker": _ENVS, "off_policy_n_optimizer_steps": _UPDATES,
        "off_policy_train_batch_size": _BATCH, "off_policy_memory_size": frames,
        "evaluation": False, "render": False, "loggers": [], "create_json": False,
    }.items():  # fmt: skip
        setattr(config, key, value)
    if hasattr(algorithm, "entropy_coef"):
        algorithm.entropy_coef, algorithm.lmbda = _ENTROPY, 0.95
    network = MlpConfig.get_from_yaml()
    network.num_cells = [128, 128]
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        config.save_folder = folder
        fields = {"max_steps": _LENGTH, "arguments": _TASKS[task][1][real]}
        experiment = Experiment(
            getattr(WirelessTask, task.upper()).get_task(fields),
            algorithm, network, seed, config, critic_model_config=network,
        )  # fmt: skip
        experiment.run()
    seconds = round(time.process_time() - start, 1)
    return BenchmarlPlayer(method, experiment.policy), seconds


def _setting(task: str, real: bool) -> Setting:
    task_id, kinds = _TASKS[task]
    return Setting(task_id, None, {"max_steps": _LENGTH, **kinds[real]})


def _piece(task: str, method: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run, trained and scored; read from its file where it is finished."""
    name, evaluation = f"{task}-{method}-{seed}", Evaluation(options.episodes)
    identity = {
        "task": task, "method": method, "seed": seed, "frames": options.frames,
        "episodes": options.episodes, "gamma": _GAMMA[task],
    }  # fmt: skip

    def make() -> dict[str, Any]:
        # Of discrete actions for all: random ones of another kind would be another zero.
        references = remembered(
            options.out / f"{task}-references.json",
            {"episodes": options.episodes},
            lambda: {"references": play_references(_setting(task, False), evaluation)},
        )["references"]
        setting = _setting(task, _METHODS[method])
        if method.startswith("benchmarl-"):
            player, seconds = _theirs(task, method, options.frames, seed)
        else:
            # Ours counts the transitions of single agents.
            agents = make_simulator(setting.env).num_agents
            config = MappoConfig(
                steps=options.frames, seed=seed, gamma=_GAMMA[task], num_envs=_ENVS,
                rollout=_FRAMES // _ENVS, epochs=_EPOCHS, batch_size=_BATCH * agents, threads=1,
                learning_rate=_RATE, entropy=_ENTROPY, independent=method == "ippo",
            )  # fmt: skip
            seconds = train_piece(setting, config, options.out / name)["cpu_seconds"]
            player = load_policy(options.out / name)
        scores = score_player(player, setting, evaluation, references)
        print(f"{name}: score {scores['score']:.1f}, {seconds} CPU seconds", flush=True)
        return {
            **{key: scores[key] for key in ("reward", "score", "interval")},
            "references": {key: float(np.mean(values)) for key, values in references.items()},
            "cpu_seconds": seconds, "command": options.command, "machine": machine_lines(_PACKAGES),
        }  # fmt: skip

    return remembered(options.pieces / f"{name}.json", identity, make)


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: a row per task and method, mean over seeds."""
    lines = []
    for task in _TASKS:
        for method in _METHODS:
            runs = [row for row in rows if (row["task"], row["method"]) == (task, method)]
            if runs:
                mean = {key: np.mean([row[key] for row in runs]) for key in ("reward", "score")}
                seconds = [row["cpu_seconds"] for row in runs if row["cpu_seconds"] is not None]
                lines.append([
                    task, method, f"{runs[0]['frames']:,}",
                    f"{mean['reward']:.3f}", f"{mean['score']:.1f}",
                    ", ".join(f"{row['score']:.1f}" for row in runs),
                    f"{np.mean(seconds):.0f}" if seconds else "",
                ])  # fmt: skip
    heads = ["task", "method", "frames", "reward", "score", "by seed", "CPU s"]
    return table_lines(heads, lines)


def _study(options: argparse.Namespace) -> None:
    for task in options.tasks:
        check_choice("--tasks", task, _TASKS)
    for method in options.methods:
        check_choice("--methods", method, _METHODS)
    check_int("--frames", options.frames, _FRAMES)
    check_int("--episodes", options.episodes, 1)
    if not options.report:
        if any(method.startswith("benchmarl-") for method in options.methods):
            check_installed("benchmarl", "torchrl")
        if options.out is None:
            raise ValueError("--out is needed: the folder of runs that are not finished.")
        torch.set_num_threads(1)
        for seed in options.seeds:
            for task in options.tasks:
                for method in options.methods:
                    _piece(task, method, check_int("--seeds", seed, 0), options)
    print("\n".join(_table(known_pieces(options.pieces, _NEEDED))))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.benchmarl_tasks"),
        description="BenchMARL's algorithms beside ours, after equal frames.",
    )
    parser.add_argument("--tasks", nargs="+", default=["rb"], help=f"of {', '.join(_TASKS)}")
    parser.add_argument(
        "--methods", nargs="+", default=list(_METHODS), help=f"of {', '.join(_METHODS)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="default: 1")
    parser.add_argument("--frames", type=int, default=50_000, help="of each run (default: 50000)")
    parser.add_argument("--episodes", type=int, default=20, help="test episodes (default: 20)")
    parser.add_argument("--out", type=Path, help="folder of unfinished runs")
    add_pieces(parser)
    parser.add_argument("--report", action="store_true", help="train nothing: print the table")
    return run_command(_study, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
