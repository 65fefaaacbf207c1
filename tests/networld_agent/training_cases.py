"""Tiny models and training runs that several test files share."""

import os
import signal
import time
from pathlib import Path

import torch

from networld_agent import pretrain
from networld_agent.model import ActionSpec, TaskSpec, WorldModel, WorldModelConfig

torch.set_num_threads(1)

TINY = WorldModelConfig(
    horizon=8,
    latent_size=8,
    encoder_size=16,
    channels=8,
    multipliers=(1, 2),
    embedding_size=8,
    inverse_size=16,
    diffusion_steps=10,
    return_bins=21,
    action_bins=21,
)
DISCRETE = TaskSpec("rb-v0", 0, 4, ActionSpec("discrete", sizes=(11,)))
BOX = TaskSpec("slicing-v0", 1, 12, ActionSpec("box", low=(0.0,) * 3, high=(1e7,) * 3))
PAIRS = TaskSpec("pairs", 2, 6, ActionSpec("multidiscrete", sizes=(3, 5)))

#: Options of a command that make it a matter of seconds.
QUICK = [
    "--preset=smoke", "--set=horizon=8", "--set=latent_size=8", "--set=encoder_size=16",
    "--set=inverse_size=16", "--set=embedding_size=8",
]  # fmt: skip


def tiny_model(seed: int = 0, tasks=(DISCRETE, BOX, PAIRS), **options) -> WorldModel:
    """A model of random weights, with heads that are not zero."""
    torch.manual_seed(seed)
    model = WorldModel(WorldModelConfig(**{**vars(TINY), **options}), tasks)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def in_child(work) -> int:
    """Process id of a fork that runs `work` and exits with what it returns."""
    process = os.fork()
    if process == 0:
        status = 70
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            status = work()
        finally:
            os._exit(status)
    return process


def exit_status(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill_after_progress(folder: Path, arguments: list[str], seconds: float, number=signal.SIGKILL):
    """Starts pre-training in a child, waits for a new checkpoint, then some more, then kills it."""
    mark = folder / "checkpoint.json"
    before = mark.stat().st_mtime_ns if mark.exists() else None
    child = in_child(lambda: pretrain.main(arguments))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if mark.exists() and mark.stat().st_mtime_ns != before:
            break
        time.sleep(0.002)
    time.sleep(seconds)
    os.kill(child, number)
    return exit_status(child)
