"""Pre-training: one world model on the data of several tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from networld_agent.config import PRESETS, Preset
from networld_agent.data.family import check_training_split, open_datasets
from networld_agent.data.windows import WindowSource
from networld_agent.device import pick_device
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.world_model import WorldModel
from networld_agent.training.run import Report, report_size, train
from networld_agent.training.task_specs import make_task_spec

__all__ = ["fresh_model", "pretrain"]


def fresh_model(sources: Sequence[WindowSource], config: WorldModelConfig, seed: int) -> WorldModel:
    """A model for the tasks of these sources, numbered in their order, with random weights."""
    by_task: dict[str, list[WindowSource]] = {}
    for source in sources:
        by_task.setdefault(source.task, []).append(source)
    tasks = [
        make_task_spec(name, index, parts, config)
        for index, (name, parts) in enumerate(by_task.items())
    ]
    torch.manual_seed(seed)
    return WorldModel(config, tasks)


def pretrain(
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    preset: Preset = PRESETS["demo"],
    *,
    trajectories: int | None = None,
    device: str = "auto",
    tensorboard: bool = False,
    verify: str = "once",
    report: Report | None = None,
) -> Path:
    """Trains a world model into the folder `out`; returns it.

    A run that was stopped goes on with the same call, to the same weights, bit for bit on a CPU. If
    `out` holds the finished run already, nothing is done. `WorldModel.load(out)` reads the model.

    Args:
        data: data sets, or folders of data sets; of families, deployments of the split `train`.
        out: folder of the run; must not exist, or be of this very run.
        preset: options of the model and its training, see `get_preset`.
        trajectories: the first n of each data set; all by default.
        device: "auto", "cpu", "cuda", "cuda:1".
        tensorboard: also write TensorBoard's files.
        verify: as in `TrajectoryDataset.open`; the run's record says if it was only quick.
        report: told in one sentence how the run has ended.

    Raises:
        ValueError: if the data cannot be used, `out` is of another run, or the loss is not finite.
        KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.

    Example:
        >>> preset = get_preset("smoke", {"steps": 20})  # doctest: +SKIP
        >>> pretrain(["data/rb", "data/cbf"], "runs/pretrained", preset)  # doctest: +SKIP
    """
    place = pick_device(device)
    paths = [data] if isinstance(data, (str, Path)) else data
    datasets = open_datasets([Path(path) for path in paths], verify)
    for dataset in datasets:
        check_training_split(dataset)
    if trajectories is not None:
        datasets = [dataset.first(trajectories) for dataset in datasets]
    sources = [
        WindowSource(dataset, temperature=preset.training.trajectory_temperature)
        for dataset in datasets
    ]
    model = fresh_model(sources, preset.model, preset.training.seed)
    report_size(model, sources)
    settings = {"command": "pretrain", "preset": preset.name}
    train(
        model, sources, [], preset.training, Path(out), place, settings,
        tensorboard=tensorboard, report=report,
    )  # fmt: skip
    return Path(out)
