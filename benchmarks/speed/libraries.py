"""Steps per second of the tasks inside training libraries, in one run on one machine.

    pip install '.[interop]' 'ray[rllib]' tianshou
    python benchmarks/speed/libraries.py --json benchmarks/results/libraries.json

A row is what a library's own loop waits for between two decisions: its environment takes random
actions, which its own spaces draw, and starts anew at the end of an episode. No network acts or
learns. What is not installed is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import wirelessenvs
from wirelessenvs.bench import DEFAULT_ARGUMENTS, PREPARED_ACTIONS, Speed, measure, write_speeds
from wirelessenvs.checks import check_int, check_real
from wirelessenvs.command import check_targets, run
from wirelessenvs.machine import machine_lines
from wirelessenvs.tasks import TASKS, get_task


def _torchrl(name: str, env: Any, seconds: float) -> Speed:
    """An environment of TorchRL as its rollouts and collectors step it."""
    env.set_seed(0)
    state = [env.reset()]

    def step(_: int) -> None:
        _, state[0] = env.step_and_maybe_reset(env.rand_action(state[0]))

    agents = len(env.group_map["agents"])
    return measure(name, agents, max(1, env.batch_size.numel()), step, seconds)


def time_wrapper(task_id: str, seconds: float, num_envs: int, **arguments: Any) -> Speed:  # noqa: ARG001
    """TorchRL's wrapper of PettingZoo."""
    import torch
    from torchrl.envs import PettingZooWrapper

    torch.set_num_threads(1)
    env = wirelessenvs.make(task_id, **arguments)
    groups = {"agents": list(env.possible_agents)}
    wrapped = PettingZooWrapper(env, group_map=groups, use_mask=False, device="cpu")
    return _torchrl("TorchRL, PettingZooWrapper", wrapped, seconds)


def time_native(task_id: str, seconds: float, num_envs: int, **arguments: Any) -> Speed:
    """Our environment of TorchRL, which BenchMARL runs as well."""
    import torch

    from wirelessenvs.torchrl import WirelessEnv

    torch.set_num_threads(1)
    env = WirelessEnv(task_id, num_envs, **arguments)
    return _torchrl("TorchRL and BenchMARL, WirelessEnv", env, seconds)


def time_supersuit(task_id: str, seconds: float, num_envs: int, **arguments: Any) -> Speed:  # noqa: ARG001
    """Four environments, every agent an environment of Stable-Baselines3."""
    import supersuit

    env = wirelessenvs.make(task_id, **arguments)
    agents = len(env.possible_agents)
    vector = supersuit.pettingzoo_env_to_vec_env_v1(env)
    batch = supersuit.concat_vec_envs_v1(vector, 4, num_cpus=1, base_class="stable_baselines3")
    batch.reset()
    drawn = [
        np.stack([batch.action_space.sample() for _ in range(4 * agents)])
        for _ in range(PREPARED_ACTIONS)
    ]
    name = "Stable-Baselines3, SuperSuit"
    return measure(name, agents, 4, lambda k: batch.step(drawn[k % len(drawn)]), seconds)


def time_joint(task_id: str, seconds: float, num_envs: int, **arguments: Any) -> Speed:  # noqa: ARG001
    """The joint environment in the batch of Stable-Baselines3."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    name = get_task(task_id).gymnasium_id
    env = DummyVecEnv([lambda: gymnasium.make(name, **arguments)])
    env.reset()
    drawn = [env.action_space.sample()[None] for _ in range(PREPARED_ACTIONS)]
    agents = env.observation_space.shape[0]
    return measure(
        "Stable-Baselines3, joint", agents, 1, lambda k: env.step(drawn[k % len(drawn)]), seconds
    )


def time_rllib(task_id: str, seconds: float, num_envs: int, **arguments: Any) -> Speed:  # noqa: ARG001
    """RLlib's wrapper of PettingZoo."""
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    env = ParallelPettingZooEnv(wirelessenvs.make(task_id, **arguments))
    env.reset(seed=0)
    agents = env.par_env.possible_agents
    drawn = [
        {agent: env.par_env.action_space(agent).sample() for agent in agents}
        for _ in range(PREPARED_ACTIONS)
    ]

    def step(call: int) -> None:
        *_, truncated, _ = env.step(drawn[call % len(drawn)])
        if truncated["__all__"]:
            env.reset()

    return measure("RLlib, ParallelPettingZooEnv", len(agents), 1, step, seconds)


def time_tianshou(task_id: str, seconds: float, num_envs: int, **arguments: Any) -> Speed:  # noqa: ARG001
    """Tianshou's wrapper: agents in turn, as many calls per step as there are agents."""
    from pettingzoo.utils.conversions import parallel_to_aec
    from tianshou.env import DummyVectorEnv, PettingZooEnv

    parallel = wirelessenvs.make(task_id, **arguments)
    agents = len(parallel.possible_agents)
    env = DummyVectorEnv([lambda: PettingZooEnv(parallel_to_aec(parallel))])
    env.reset()
    space = env.action_space[0]
    drawn = [np.array([space.sample()]) for _ in range(PREPARED_ACTIONS)]

    def step(call: int) -> None:
        for turn in range(agents):
            _, _, terminated, truncated, _ = env.step(drawn[(call + turn) % len(drawn)])
            if terminated.any() or truncated.any():
                env.reset()
                return

    return measure("Tianshou, PettingZooEnv", agents, 1, step, seconds)


#: How each row is timed, and the package whose version it depends on.
ROWS: tuple[tuple[Callable[..., Speed], str], ...] = (
    (time_native, "torchrl"),
    (time_wrapper, "torchrl"),
    (time_supersuit, "stable-baselines3"),
    (time_joint, "stable-baselines3"),
    (time_rllib, "ray"),
    (time_tianshou, "tianshou"),
)


def _compare(options: argparse.Namespace) -> None:
    check_real("--seconds", options.seconds, 0, 3600, low_open=True)
    num_envs = check_int("--num-envs", options.num_envs, 1)
    check_targets(options.json)
    tasks = [get_task(name).id for name in options.tasks] or list(TASKS)
    machine = machine_lines(
        ("wirelessenvs", "torchrl", "torch", "numpy", "gymnasium", "pettingzoo")
    )
    print("\n".join(machine))
    print(
        "\n| task | library | version | at once | env steps / CPU-second |\n|---|---|---|---|---|"
    )
    speeds = []
    for task_id in tasks:
        for timed, package in ROWS:
            arguments = DEFAULT_ARGUMENTS.get(task_id, {})
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    speed = timed(task_id, options.seconds, num_envs, **arguments)
            except ImportError as error:
                print(f"| {task_id} | {package} is not installed: {error} | | | |", flush=True)
                continue
            number = version(package)
            speeds.append(replace(speed, name=f"{task_id} {speed.name} {number}"))
            print(
                f"| {task_id} | {speed.name} | {number} | {speed.num_envs} "
                f"| {speed.per_cpu_second:,.0f} |",
                flush=True,
            )
    if options.json:
        write_speeds(options.json, machine, speeds)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Steps per second inside training libraries.")
    parser.add_argument("tasks", nargs="*", help=f"any of {', '.join(TASKS)} (default: all)")
    parser.add_argument(
        "--num-envs", type=int, default=256, help="batch size of WirelessEnv (default: 256)"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each row")
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    return run(_compare, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
