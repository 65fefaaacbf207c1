"""Creation by name: our own `make`, Gymnasium's registry, PettingZoo's where it has one."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium

from wirelessenvs.parallel import WirelessParallelEnv
from wirelessenvs.tasks import TASKS, get_task
from wirelessenvs.vector import WirelessVectorEnv

__all__ = ["make", "make_vec", "register_all"]


def make(task_id: str, **kwargs: Any) -> WirelessParallelEnv:
    """A PettingZoo parallel environment.

    Args:
        task_id: "cbf-v0", "rb-v0" or "slicing-v0".
        **kwargs: `preset`, `render_mode` and every other argument of the environment; its class
            docstring lists them.

    Raises:
        ValueError: for an unknown id, preset or value; the sentence says what exists.
        TypeError: for an unknown argument or a value of the wrong type.
    """
    module = importlib.import_module(get_task(task_id).module)
    env: WirelessParallelEnv = module.parallel_env(**kwargs)
    return env


def make_vec(task_id: str, num_envs: int = 1, **kwargs: Any) -> WirelessVectorEnv:
    """A native batch of environments; the arguments are those of `WirelessVectorEnv`."""
    return WirelessVectorEnv(task_id, num_envs, **kwargs)


def register_all() -> None:
    """Registers every task with Gymnasium, and families, too, with PettingZoo 1.26 or newer."""
    for task in TASKS.values():
        if task.gymnasium_id not in gymnasium.registry:
            gymnasium.register(
                id=task.gymnasium_id,
                entry_point="wirelessenvs.joint:JointEnv",
                vector_entry_point="wirelessenvs.vector:WirelessVectorEnv",
                kwargs={"task_id": task.id},
            )
    try:
        from pettingzoo import aec_registry, parallel_registry, register
    except ImportError:  # older PettingZoo has no registry
        return
    modules = {task.id: task.module for task in TASKS.values()}
    for env_id, module in (modules | {"family-v0": "wirelessenvs.family_v0"}).items():
        name = f"wirelessenvs/{env_id}"
        if name not in parallel_registry:
            register("parallel", name, f"{module}:parallel_env")
        if name not in aec_registry:
            register("aec", name, f"{module}:env")
