"""The commands that write files, at their smallest; outputs relative to the working folder."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from .outcomes import run_command

_NETWORK = (
    "--preset smoke --set horizon=4 --set latent_size=4 --set encoder_size=8 --set inverse_size=8 "
    "--set embedding_size=8 --set channels=8 --set diffusion_steps=4 --set batch_size=8 "
    "--set log_every=1 --set save_every=2 --set validate_every=2 --device cpu"
)
_ADAPTATION = (
    "--preset smoke --set batch_size=8 --set log_every=1 --set save_every=2 "
    "--set validate_every=2 --device cpu"
)
_ONLINE = (
    "--env rb-v0 --env-set num_nodes=3 --env-set max_steps=20 --set num_envs=2 --set save_every=1 "
    "--set hidden_size=8 --set snapshots=2 --episodes 2 --eval-steps 5"
)
_PLAYED = "--env rb-v0 --set num_nodes=4 --seeds 1 --episodes 2 --steps 5"
_EXPERIMENT = "--preset smoke --tasks rb --methods bc networld --tiers expert --jobs 1"

#: Command line by name: module, arguments with {shelf} for the folder of inputs, outputs.
LINES: dict[str, tuple[str, str]] = {
    "collect": (
        "networld_agent.collect",
        "--env rb-v0 --set num_nodes=4 --episodes 20 --steps 120 --num-envs 3 --out out",
    ),
    "collect-processes": (
        "networld_agent.collect",
        "--env rb-v0 --set num_nodes=4 --episodes 20 --steps 120 --num-envs 3 --jobs 2 --out out",
    ),
    "pretrain": (
        "networld_agent.pretrain",
        f"--data {{shelf}}/rb {{shelf}}/cbf --out out --steps 16 {_NETWORK}",
    ),
    "adapt": (
        "networld_agent.adapt",
        f"--model {{shelf}}/model --data {{shelf}}/slicing --out out --steps 12 {_ADAPTATION}",
    ),
    "evaluate": (
        "networld_agent.evaluate",
        f"--model {{shelf}}/model {_PLAYED} --policies random --device cpu --json out.json "
        "--csv out.csv",
    ),
    "diagnose": (
        "networld_agent.diagnose",
        "--model {shelf}/model --data {shelf}/rb --windows 4 --samples 2 --episodes 1 --steps 3 "
        "--device cpu --out out.html --json out.json",
    ),
    "fit": (
        "benchmarks.baselines.fit",
        "--method bc --data {shelf}/rb --steps 300 --set hidden_size=8 --set batch_size=8 "
        "--set save_every=20 --out out",
    ),
    "mappo": (
        "benchmarks.baselines.mappo.train",
        f"{_ONLINE} --set rollout=8 --steps 160 --out out",
    ),
    "dima": (
        "benchmarks.baselines.dima.train",
        f"{_ONLINE} --preset tiny --steps 40 --out out",
    ),
    "dima-fit": (
        "benchmarks.baselines.dima.fit",
        "--data {shelf}/rb --steps 6 --set model=tiny --set save_every=1 --out out",
    ),
    "export": (
        "networld_agent.data.__main__",
        "export {shelf}/rb --minari-id rb/expert-v0 --root out",
    ),
    "import": ("networld_agent.data.__main__", "import {shelf}/minari/rb/expert-v0 --out out"),
    "subset": ("networld_agent.data.__main__", "subset {shelf}/rb --first 3 --out out"),
    "experiment": ("benchmarks.run", f"{_EXPERIMENT} --out out"),
    "report": ("benchmarks.report", "--out {shelf}/experiment --to out"),
}


def line(name: str, shelf: Path) -> tuple[str, list[str]]:
    """Module and arguments of a command."""
    module, text = LINES[name]
    return module, text.format(shelf=shelf).split()


def perform(name: str, shelf: Path, *more: object) -> str:
    """Runs a command in this process and the working folder; returns what it prints.

    Args:
        name: of the command.
        shelf: of its inputs.
        *more: options and their values, which replace its own.

    Raises:
        RefusedError: if it ends with another status than 0.
    """
    module, arguments = line(name, shelf)
    for option, value in zip(more[::2], more[1::2], strict=True):
        if option in arguments:
            place = arguments.index(str(option))
            del arguments[place : place + 2]
        arguments += [str(option), str(value)]
    return run_command(importlib.import_module(module).main, *arguments)


def inputs(name: str) -> set[str]:
    """Names of the specimens that a command reads, and of those that these are made from."""
    given = set(re.findall(r"\{shelf\}/([a-z]+)", LINES[name][1]))
    return given | {"rb", "cbf"} | ({"slicing"} if "model" in given else set())
