"""Exchange with Minari: every episode as one of a joint controller, in HDF5, and back.

A Minari episode holds the agents' observations `(T + 1, N, D)`, their actions `(T, N[, A])`, and
the mean of their rewards `(T,)`, as `gymnasium.make("wirelessenvs/RB-v0")` gives them. What a joint
episode has no place for is in `infos`: every agent's rewards and metrics, further forms of the
actions. Our own metadata travels along, so that importing gives back the same data set.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.errors import DatasetError
from networld_agent.data.metadata import ActionInfo, Description
from networld_agent.data.subset import description_of
from networld_agent.data.writer import write_episodes
from wirelessenvs.tasks import TASKS

__all__ = ["export_minari", "import_minari"]

_KEY = "networld_description"

Report = Callable[[int], None]


def _minari() -> Any:
    try:
        import h5py  # noqa: F401
        import minari
    except ImportError:
        raise ImportError("Minari is not installed: pip install 'wirelessenvs[minari]'.") from None
    return minari


def export_minari(
    dataset: TrajectoryDataset,
    minari_id: str,
    root: Path | None = None,
    report: Report | None = None,
) -> Path:
    """Writes a data set (its selected episodes) as a Minari data set; returns its folder.

    Args:
        dataset: to export.
        minari_id: "rb/expert-v0": namespace, name and version.
        root: folder of Minari data sets; by default Minari's own (`MINARI_DATASETS_PATH`).
        report: called with the number of episodes done.

    Raises:
        ValueError: if the id is malformed or taken.
        ImportError: if Minari is not installed.
    """
    minari = _minari()
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.storage.datasets_root_dir import get_dataset_path

    namespace = parse_dataset_id(minari_id)[0]
    home = Path(root) if root is not None else Path(get_dataset_path())
    home.mkdir(parents=True, exist_ok=True)
    target = home / minari_id
    if target.exists():
        raise ValueError(f"{target} exists already.")
    description = dataset.description
    observation_space, action_space = _joint_spaces(description)
    with tempfile.TemporaryDirectory(dir=home, prefix=".export-") as temporary:
        with _minari_home(temporary), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on author and link, which are optional
            made = minari.create_dataset_from_buffers(
                minari_id,
                _episodes(dataset, report),
                env=_env_spec(description),
                algorithm_name=description.policy,
                description=f"{description.task}, policy {description.policy}, epsilon "
                f"{description.epsilon:g}; rewards are means over agents, infos hold each agent's.",
                observation_space=observation_space,
                action_space=action_space,
                requirements=[f"{name}=={v}" for name, v in description.versions.items()
                              if name != "networld_agent"],
                jpeg_encoding=False,
            )  # fmt: skip
            selected = description_of(dataset).to_json()
            made.storage.update_metadata({_KEY: json.dumps(selected)})
        target.parent.mkdir(parents=True, exist_ok=True)
        if namespace is not None:
            for file in (Path(temporary) / namespace).iterdir():
                if file.is_file() and not (target.parent / file.name).exists():
                    shutil.copy(file, target.parent / file.name)
        (Path(temporary) / minari_id).rename(target)
    return target


@contextlib.contextmanager
def _minari_home(folder: str) -> Iterator[None]:
    """Minari's data sets live in `folder` for a while."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before


def _episodes(dataset: TrajectoryDataset, report: Report | None) -> Iterator[Any]:
    """One buffer after the other: never more than one episode in memory."""
    from minari.data_collector import EpisodeBuffer

    description = dataset.description
    discrete = description.action.kind != "box"
    for count, episode in enumerate(dataset.episodes.tolist()):
        actions = _steps_first(dataset.actions[episode])
        infos = {"agent_rewards": _steps_first(dataset.rewards[episode])}
        for k, metric in enumerate(description.metrics):
            infos[metric.name] = _steps_first(dataset.array("metrics")[episode][..., k])
        for name in description.forms:
            infos[f"action_{name}"] = _steps_first(dataset.array(name)[episode])
        if description.adjacency is None:
            infos["adjacency"] = np.array(dataset.array("adjacency")[episode])
        last = np.zeros(description.steps, np.bool_)
        last[-1] = True
        yield EpisodeBuffer(
            id=count,
            seed=description.seeds[episode],
            observations=_steps_first(dataset.observations[episode]),
            actions=actions.astype(np.int64) if discrete else actions,
            rewards=dataset.rewards[episode].mean(0),
            terminations=np.zeros(description.steps, np.bool_),
            truncations=last,
            infos=infos,
        )
        if report is not None:
            report(count + 1)


def _steps_first(values: NDArray[Any]) -> NDArray[Any]:
    """`(N, T, ...)` as `(T, N, ...)`, and back."""
    return np.ascontiguousarray(np.swapaxes(values, 0, 1))


def _joint_spaces(description: Description) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    n, seen = description.num_agents, description.observation
    low = np.array([-np.inf if x is None else x for x in seen.low], np.float32)
    high = np.array([np.inf if x is None else x for x in seen.high], np.float32)
    observation = gymnasium.spaces.Box(np.tile(low, (n, 1)), np.tile(high, (n, 1)))
    return observation, _joint_actions(description.action, n)


def _joint_actions(action: ActionInfo, n: int) -> gymnasium.Space[Any]:
    low, high = action.bounds()
    if action.kind == "box":
        dtype = np.dtype(action.dtype).type
        lows, highs = np.tile(low, (n, 1)), np.tile(high, (n, 1))
        return gymnasium.spaces.Box(lows.astype(dtype), highs.astype(dtype), dtype=dtype)
    if action.kind == "discrete":
        if action.start:
            return gymnasium.spaces.Box(int(low[0]), int(high[0]), (n,), np.int64)
        return gymnasium.spaces.MultiDiscrete([action.sizes[0]] * n)
    return gymnasium.spaces.MultiDiscrete(np.tile(np.array(action.sizes), (n, 1)))


def _env_spec(description: Description) -> Any:
    """Gymnasium's recipe for the joint environment; None for one of another project."""
    if description.task not in TASKS:
        return None
    task, environment = TASKS[description.task], description.environment
    preset, config = environment["preset"], environment["config"]
    plain = json.loads(json.dumps(dataclasses.asdict(task.config.from_preset(preset))))
    changed = {key: value for key, value in config.items() if plain[key] != value}
    spec = gymnasium.spec(task.gymnasium_id)
    kwargs = {**spec.kwargs, "preset": preset, **changed}
    return type(spec)(id=spec.id, entry_point=spec.entry_point, kwargs=kwargs)


def import_minari(folder: Path, out: Path, report: Report | None = None) -> Path:
    """Turns a Minari data set that `export_minari` wrote back into a data set.

    Args:
        folder: of the Minari data set, which holds `data/`.
        out: folder of the new data set.
        report: called with the number of episodes done.

    Raises:
        DatasetError: if it was not exported by this package, or its arrays do not fit.
    """
    minari = _minari()
    data = folder / "data" if (folder / "data").is_dir() else folder
    try:
        source = minari.MinariDataset(data)
        text = source.storage.metadata.get(_KEY)
    except (ValueError, OSError, KeyError, AssertionError) as error:
        raise DatasetError(f"{folder} is no Minari data set: {error}") from None
    if not isinstance(text, str):
        raise DatasetError(f"{folder} was not exported by this package: key {_KEY!r} is missing.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise DatasetError(f"{folder}: key {_KEY!r} is not valid JSON.") from None
    description = Description.from_json(document, f"{data.name}/metadata.json")
    if source.total_episodes != description.num_episodes:
        raise DatasetError(
            f"{folder} holds {source.total_episodes} episodes, its description "
            f"{description.num_episodes}."
        )

    def arrays_of(episode: int) -> dict[str, NDArray[Any]]:
        (found,) = source.storage.get_episodes([episode])
        return _arrays(found, description, episode)

    return write_episodes(out, description, arrays_of, report)


def _arrays(
    found: dict[str, Any], description: Description, episode: int
) -> dict[str, NDArray[Any]]:
    infos = found["infos"] or {}
    metrics = [metric.name for metric in description.metrics]
    needed = {"rewards": "agent_rewards"} | {name: f"action_{name}" for name in description.forms}
    if description.adjacency is None:
        needed["adjacency"] = "adjacency"
    for key in (*needed.values(), *metrics):
        if key not in infos:
            raise DatasetError(f"main_data.hdf5: episode {episode} has no info {key!r}.")
    arrays = {"observations": found["observations"], "actions": found["actions"]}
    arrays |= {name: infos[key] for name, key in needed.items()}
    if metrics:
        arrays["metrics"] = np.stack([infos[name] for name in metrics], -1)
    for name, layout in description.layouts().items():
        values = arrays[name] if layout.lead == 1 else np.swapaxes(arrays[name], 0, 1)
        if values.shape != layout.shape[1:]:
            raise DatasetError(
                f"main_data.hdf5: episode {episode}, {name}: shape {values.shape} "
                f"instead of {layout.shape[1:]}."
            )
        arrays[name] = values[None]
    return arrays
