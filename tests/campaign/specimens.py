"""The files that are damaged: one folder of each kind that the product writes, and its readers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import benchmarks.run
from benchmarks.baselines import load_policy
from benchmarks.baselines.dima.world_model import WorldModel as DimaModel
from benchmarks.baselines.registry import BASELINES
from benchmarks.experiment.reporting.results import read
from benchmarks.records import remembered
from benchmarks.speed.record import read_documents
from networld_agent import collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data import __main__ as data_command
from networld_agent.data.windows import WindowSource
from networld_agent.evaluation.tuning import Trial, store_trial
from networld_agent.model import WorldModel
from networld_agent.planning import Planner

from .commands import line, perform
from .contents import contents, digest
from .outcomes import ROOT, run_command
from .worker import in_child

Reader = Callable[[Path, Path], Any]


@dataclass(frozen=True)
class Specimen:
    """A folder that is damaged.

    Args:
        make: writes it, from the shelf of all specimens; they are made in order.
        readers: by name; what one finds in a copy of the folder is hashed and compared. Each gets
            the copy and the shelf, in an empty working folder.
        weight: how often it is chosen.
        name: of the copy; commands that go on with a run call it "out".
        limit_s: that a reader may take.
    """

    make: Callable[[Path, Path], None]
    readers: dict[str, Reader]
    weight: float = 2
    name: str = "copy"
    limit_s: float = 10.0


# ----------------------------------------------------------------------------- data sets
def _collected(*arguments: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, shelf: Path) -> None:
        size = ("--episodes", "5", "--steps", "30", "--out", str(folder))
        run_command(collect.main, "--env", *arguments, *size)

    return make


def _verified(folder: Path, shelf: Path) -> Any:
    dataset = TrajectoryDataset.open(folder, verify="full")
    arrays = {name: np.array(dataset.array(name)) for name in dataset.metadata.arrays}
    return [arrays, repr(dataset.description)]


def _windows(folder: Path, shelf: Path) -> Any:
    dataset = TrajectoryDataset.open(folder)
    return [vars(WindowSource(dataset).draw(64, 8, seed=0)), dataset.make_simulator().reset(0)]


def _inspected(folder: Path, shelf: Path) -> Any:
    return run_command(data_command.main, "inspect", folder).replace(str(folder), "")


def _part(folder: Path, shelf: Path) -> Any:
    run_command(data_command.main, "subset", folder, "--episodes", "1:4", "--out", "part")
    return contents(Path("part"))


def _trained(folder: Path, shelf: Path) -> Any:
    perform("fit", shelf, "--data", folder, "--steps", 3)
    return contents(Path("out/policy"))


_DATASET = {
    "open": _verified, "windows": _windows, "inspect": _inspected, "subset": _part, "fit": _trained,
}  # fmt: skip


# ------------------------------------------------------------- models, policies and runs
def _performed(name: str, *more: object) -> Callable[[Path, Path], None]:
    def make(folder: Path, shelf: Path) -> None:
        perform(name, shelf, "--out", folder, *more)

    return make


def _model(folder: Path, shelf: Path) -> None:
    perform("pretrain", shelf, "--out", folder)
    for name in ("config.json", "checkpoint.json", "metrics.jsonl", "log.jsonl"):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("checkpoint-*"):
        path.unlink()
    # As after `evaluate --tune-guidance`.
    store_trial(folder, "rb-v0", Trial(0.5, 0.2, -1.0, 0.1, (0.0, 0.2), True, 2))


def _loaded(folder: Path, shelf: Path) -> Any:
    model = WorldModel.load(folder)
    return [model.state_dict(), repr(model.config), repr(model.tasks)]


def _planned(folder: Path, shelf: Path) -> Any:
    dataset = TrajectoryDataset.open(shelf / "rb")
    planner = Planner.load(folder, "rb-v0", device="cpu")
    return planner.act(dataset.observations[0, :, 3], dataset.graph)


def _adapted(folder: Path, shelf: Path) -> Any:
    perform("adapt", shelf, "--model", folder, "--steps", 2)
    return contents(Path("out/model.json"))


def _evaluated(folder: Path, shelf: Path) -> Any:
    perform("evaluate", shelf, "--model", folder, "--json", "scores.json")
    return contents(Path("out.csv"))


def _acts(folder: Path, shelf: Path) -> Any:
    policy = load_policy(folder)
    size = policy.scaling.size
    observations = np.linspace(0, 9, 2 * 3 * size, dtype=np.float32).reshape(2, 3, size)
    policy.begin([0, 1])
    torch.manual_seed(0)
    return [policy.act_on(observations), repr(policy.spec)]


def _method(name: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, shelf: Path) -> None:
        run = shelf / f".{name}"
        perform("fit", shelf, "--method", name, "--steps", 2, "--out", run)
        shutil.copytree(run / "policy", folder)

    return make


def _killed(name: str, mark: str) -> Callable[[Path, Path], None]:
    """A folder whose command was killed when the first file of a pattern was there."""

    def make(folder: Path, shelf: Path) -> None:
        os.chdir(folder.parent)
        out = folder.parent / "out"
        shutil.rmtree(out, ignore_errors=True)
        child = in_child(lambda: perform(name, shelf), shelf / "killed.log")
        deadline = time.monotonic() + 100
        while not any(folder.parent.glob(mark)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} wrote no {mark} to be killed at")
            time.sleep(0.001)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for left in folder.parent.glob(".out.partial"):
            out = left
        for part in out.rglob(".partial-*"):
            part.unlink()
        out.rename(folder)

    return make


def _goes_on(name: str) -> Reader:
    def read_on(folder: Path, shelf: Path) -> Any:
        perform(name, shelf)
        return contents(Path("out"))

    return read_on


def _run_again(folder: Path, shelf: Path) -> Any:
    """Results, not files: nobody needs the data of an evaluation that is done."""
    perform("experiment", shelf)
    return {
        path.parent.name: contents(path) for path in sorted(Path("out/jobs").glob("*/result.json"))
    }


def _dima_model(folder: Path, shelf: Path) -> Any:
    model = DimaModel.load(folder)
    return [model.state_dict(), repr(model.config), repr(model.spec)]


def _only_dima_model(folder: Path, shelf: Path) -> None:
    perform("dima", shelf, "--out", shelf / ".dima")
    found = next(path.parent for path in (shelf / ".dima").rglob("world_model.json"))
    shutil.copytree(found, folder)


# ------------------------------------------------------------------------------- results
def _report(folder: Path, shelf: Path) -> Any:
    experiment = read(folder)
    return [
        [dataclasses.asdict(group) for group in experiment.groups],
        [dataclasses.asdict(curve) for curve in experiment.curves],
        experiment.missing, experiment.total, experiment.protocol,
    ]  # fmt: skip


def _listed(folder: Path, shelf: Path) -> Any:
    _, arguments = line("experiment", shelf)
    return run_command(benchmarks.run.main, *arguments, "--list")


def _stopped_experiment(folder: Path, shelf: Path) -> None:
    """As a kill just before the end of a training leaves it."""
    shutil.copytree(shelf / "experiment", folder)
    for path in (folder / "jobs").iterdir():
        if path.name.startswith(("fit-rb-bc", "evaluate-rb-bc")):
            (path / "result.json").unlink()


def _speed(folder: Path, shelf: Path) -> None:
    shutil.copytree(ROOT / "benchmarks" / "results" / "gpu", folder)


def _plan(folder: Path, shelf: Path) -> Any:
    found = run_command(benchmarks.run.main, "--preset", "paper", "--plan", folder)
    return found.replace(str(folder), "")


def _remember(folder: Path, shelf: Path) -> None:
    folder.mkdir()
    _remembered(folder, shelf)


def _remembered(folder: Path, shelf: Path) -> Any:
    identity = {"key": "a" * 16, "seeds": [1, 2, 3], "share": 0.25}
    return remembered(folder / "training.json", identity, lambda: {"rewards": [0.5, 1.5], "n": 3})


def _exported(folder: Path, shelf: Path) -> None:
    perform("export", shelf, "--root", folder)


def _imported(folder: Path, shelf: Path) -> Any:
    found = folder / "rb" / "expert-v0"
    run_command(data_command.main, "import", found, "--out", "out")
    return contents(Path("out"))


SPECIMENS: dict[str, Specimen] = {
    "rb": Specimen(_collected("rb-v0", "--set", "num_nodes=4"), _DATASET, 4),
    "cbf": Specimen(
        _collected("cbf-v0", "--set", "num_cells=7", "--set", "layout_seed=None", "--set",
                   "graph=interferers", "--preset", "general"),
        _DATASET, 3,
    ),
    "slicing": Specimen(
        _collected("slicing-v0", "--preset", "small", "--set", "slots_per_window=20"), _DATASET, 3
    ),
    "model": Specimen(
        _model,
        {"load": _loaded, "plan": _planned, "adapt": _adapted, "evaluate": _evaluated},
        4,
    ),
    **{f"policy-{name}": Specimen(_method(name), {"act": _acts}, 1) for name in BASELINES},
    "mappo": Specimen(_performed("mappo"), {"act": _acts, "again": _goes_on("mappo")}, 2, "out"),
    "dima-model": Specimen(_only_dima_model, {"load": _dima_model}, 2),
    "pretraining": Specimen(
        _killed("pretrain", "out/checkpoint.json"), {"again": _goes_on("pretrain")}, 2, "out"
    ),
    "adaptation": Specimen(
        _killed("adapt", "out/checkpoint.json"), {"again": _goes_on("adapt")}, 2, "out"
    ),
    "fitting": Specimen(
        _killed("fit", "out/checkpoint.json"), {"again": _goes_on("fit")}, 2, "out"
    ),
    "online": Specimen(
        _killed("mappo", "out/checkpoint.json"), {"again": _goes_on("mappo")}, 1, "out"
    ),
    "collection": Specimen(
        _killed("collect", ".out.partial/journal.jsonl"), {"again": _goes_on("collect")}, 2,
        ".out.partial", 30.0,
    ),
    "minari": Specimen(_exported, {"import": _imported}, 3),
    "experiment": Specimen(
        _performed("experiment"),
        {**{f"report {i}": _report for i in range(6)}, "list": _listed, "again": _run_again},
        3, "out", 90.0,
    ),
    "stopped-experiment": Specimen(
        _stopped_experiment, {"again": _run_again}, 0.4, "out", 90.0
    ),
    "speed": Specimen(
        _speed, {"read": lambda f, s: read_documents(f), "plan": _plan}, 0.5, limit_s=60.0
    ),
    "remembered": Specimen(_remember, {"read": _remembered}, 1),
}  # fmt: skip


def found_by(specimen: Specimen, reader: str, folder: Path, shelf: Path, place: Path) -> str:
    """Digest of what a reader finds in a folder, in an empty working folder."""
    place.mkdir(parents=True, exist_ok=True)
    os.chdir(place)
    return digest(specimen.readers[reader](folder, shelf))
