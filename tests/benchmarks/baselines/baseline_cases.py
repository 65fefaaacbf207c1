"""Tiny data sets and options of every baseline that several test files share."""

import functools
import os
import signal
import tempfile
from pathlib import Path

import torch

from benchmarks.baselines import BASELINES, OfflineData, make_baseline
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset

torch.set_num_threads(1)

#: Discrete and real actions, graphs that stay and that change.
TASKS = {
    "discrete": {"env": "rb-v0", "overrides": {"num_nodes": 4}},
    "box": {
        "env": "cbf-v0",
        "overrides": {
            "num_cells": 7, "layout_seed": None, "action": "beam", "graph": "interferers",
        },
    },
}  # fmt: skip

_SMALL = {"steps": 24, "batch_size": 16, "hidden_size": 16, "log_every": 5, "save_every": 5}
#: Further options that make a method small.
_OWN = {
    "dt": {"context": 6, "layers": 2},
    "dd": {"horizon": 8, "channels": 8, "diffusion_steps": 10},
}


@functools.cache
def _shelf() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


@functools.cache
def tiny_data(kind: str) -> OfflineData:
    """4 of 6 episodes, 40 of 50 steps."""
    settings = CollectionSettings(policy="mixed", episodes=6, steps=50, **TASKS[kind])
    folder = collect(settings, Path(_shelf().name) / kind, num_envs=3)
    return OfflineData(TrajectoryDataset.open(folder), 4, 40)


def tiny_config(name: str, **options):
    return make_baseline(name).config_type(**{**_SMALL, **_OWN.get(name, {}), **options})


#: Every registered baseline.
METHODS = BASELINES


def killed_fit(name, data, config, folder, at, number=signal.SIGKILL) -> int:
    """Exit status of a child process that signals itself before the update of step `at`."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    status = 70
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        method = make_baseline(name)
        make_learner = method.learner

        def learner(*arguments):
            made = make_learner(*arguments)
            update = made.update

            def signalled(batch, step):
                if step == at:
                    os.kill(os.getpid(), number)
                return update(batch, step)

            made.update = signalled
            return made

        method.learner = learner
        method.fit(data, config, folder, progress=False)
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        os._exit(status)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
