"""Exchange with Minari: every episode as one of a joint controller, in HDF5, and back.

Or one way only, an episode per agent; see `networld_agent.data.minari_agents`.

A Minari episode holds the agents' observations `(T + 1, N, D)`, their actions `(T, N[, A])`, and
the mean of their rewards `(T,)`, as `gymnasium.make("wirelessenvs/RB-v0")` gives them. What a joint
episode has no place for is in `infos`: every agent's rewards and metrics, further forms of the
actions. Our own metadata travels along, with a checksum of every episode, so that importing gives
back the same data set or says what was changed. Importing reads HDF5 by itself: Minari would build
the environment that a folder's metadata names, and what a file says is never executed here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.metadata import ActionInfo, Description
from networld_agent.data.minari_agents import (
    agent_arguments,
    agent_episodes,
    agent_labels,
    agent_spaces,
)
from networld_agent.data.minari_scores import changed_fields, reference_scores
from networld_agent.data.subset import description_of
from networld_agent.data.writer import write_episodes
from networld_agent.errors import DatasetError
from networld_agent.fields import read_json
from wirelessenvs.json_values import canonical_json
from wirelessenvs.locks import locked
from wirelessenvs.tasks import TASKS

__all__ = ["export_minari", "import_minari"]

#: Of Minari's metadata: our description, and the SHA-256 of every episode and then of that.
_KEY, _SUMS = "networld_description", "networld_sha256"
#: Of an export with an episode per agent.
_PER_AGENT = "networld_per_agent"
_FILE = "main_data.hdf5"
#: Bytes that HDF5 may add to an array, for its header and its last chunk.
_OVERHEAD = 8192

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
    *,
    per_agent: bool = False,
    reference_episodes: int | None = None,
) -> Path:
    """Writes a data set (its selected episodes) as a Minari data set; returns its folder.

    Warns if the environment needs somebody's code, so that Minari cannot make it again.
    Minari's reference scores, which normalise returns, go with it where they are known.

    Args:
        dataset: to export.
        minari_id: "rb/expert-v0": namespace, name and version.
        root: folder of Minari data sets; by default Minari's own (`MINARI_DATASETS_PATH`).
        report: called with the number of episodes done.
        per_agent: write one episode per agent, in plain spaces, instead of joint ones. These
            cannot be imported again.
        reference_episodes: to play with the random policy and the expert for reference scores
            of this very environment.

    Raises:
        ValueError: if the id is malformed or taken.
        ImportError: if Minari is not installed.
    """
    minari = _minari()
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.storage.datasets_root_dir import get_dataset_path

    namespace = parse_dataset_id(minari_id)[0]
    # Minari takes its folder as absolute.
    home = Path(root if root is not None else get_dataset_path()).expanduser().resolve()
    target = home / minari_id
    if target.exists():
        raise ValueError(f"{target} exists already.")
    description = dataset.description
    spaces, episodes = (agent_spaces, agent_episodes) if per_agent else (_joint_spaces, _episodes)
    observation_space, action_space = spaces(description)
    home.mkdir(parents=True, exist_ok=True)
    _check_space(dataset, home, target, per_agent)
    scores = reference_scores(dataset, reference_episodes)
    env_spec = _env_spec(description, per_agent)
    if env_spec is None:
        warnings.warn(
            f"recover_environment() of {minari_id} will fail: the data's environment needs code "
            "that Minari does not load; TrajectoryDataset.make_env(trusted=True) makes it.",
            stacklevel=2,
        )
    with _scratch(home) as temporary:
        with _minari_home(temporary), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on author and link, which are optional
            made = minari.create_dataset_from_buffers(
                minari_id,
                episodes(dataset, report),
                env=env_spec,
                algorithm_name=description.policy,
                description=f"{description.task}, policy {description.policy}, epsilon "
                f"{description.epsilon:g}; "
                + ("each episode is one agent's." if per_agent
                   else "rewards are means over agents, infos hold each agent's."),
                observation_space=observation_space,
                action_space=action_space,
                requirements=[f"{name}=={v}" for name, v in description.versions.items()
                              if name != "networld_agent"],
                jpeg_encoding=False,
            )  # fmt: skip
            selected = json.dumps(description_of(dataset).to_json())
            about: dict[str, Any] = {**scores, _KEY: selected}
            if per_agent:
                about[_PER_AGENT] = True
                made.storage.update_episode_metadata(agent_labels(dataset))
            else:
                file = temporary / minari_id / "data" / _FILE
                sums = _checksums(file, dataset.num_episodes)
                about[_SUMS] = [*sums, _text_sum(selected)]
            made.storage.update_metadata(about)
        target.parent.mkdir(parents=True, exist_ok=True)
        if namespace is not None:
            for file in (temporary / namespace).iterdir():
                if file.is_file() and not (target.parent / file.name).exists():
                    shutil.copy(file, target.parent / file.name)
        (temporary / minari_id).rename(target)
    return target


def _check_space(dataset: TrajectoryDataset, home: Path, target: Path, per_agent: bool) -> None:
    """HDF5 does not survive a full disk: it is asked for before.

    Raises:
        OSError: if the disk has too little room.
    """
    description = dataset.description
    layouts = description.layouts().values()
    arrays = len(layouts) + len(description.metrics) + 4
    # Minari keeps choices as 64-bit integers; rewards stand there twice.
    overhead = arrays * _OVERHEAD * (description.num_agents if per_agent else 1)
    per_episode = 2 * sum(layout.episode_bytes for layout in layouts) + overhead
    needed, free = per_episode * dataset.num_episodes, shutil.disk_usage(home).free
    if needed > free:
        raise OSError(
            f"cannot write {target}: it may need {needed / 1e6:.1f} MB and the disk has "
            f"{free / 1e6:.1f} MB left."
        )


@contextlib.contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """A folder that goes in the end; those of killed exports go now."""
    for left in home.glob(".export-*"):
        with locked(left) as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=home, prefix=".export-"))
    try:
        with locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _minari_home(folder: Path) -> Iterator[None]:
    """Minari's data sets live in `folder` for a while."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(folder)
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
    terminations = dataset.terminations
    for count, episode in enumerate(dataset.episodes.tolist()):
        actions = _steps_first(dataset.actions[episode])
        infos = {"agent_rewards": _steps_first(dataset.rewards[episode])}
        for k, metric in enumerate(description.metrics):
            infos[metric.name] = _steps_first(dataset.array("metrics")[episode][..., k])
        for name in description.forms:
            infos[f"action_{name}"] = _steps_first(dataset.array(name)[episode])
        if description.adjacency is None:
            infos["adjacency"] = np.array(dataset.array("adjacency")[episode])
        if description.state_size:
            infos["state"] = np.array(dataset.array("state")[episode])
        ended = terminations[episode]
        cut = np.zeros(description.steps, np.bool_)
        cut[-1] = not ended[-1]
        yield EpisodeBuffer(
            id=count,
            seed=description.seeds[episode],
            observations=_steps_first(dataset.observations[episode]),
            actions=actions.astype(np.int64) if discrete else actions,
            # Along the last axis, as the environments do it: the same bits.
            rewards=infos["agent_rewards"].mean(1),
            terminations=ended,
            truncations=cut,
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


def _env_spec(description: Description, per_agent: bool) -> Any:
    """Gymnasium's recipe for the environment; None for one that needs somebody's code."""
    if description.task not in TASKS or ":" in str(description.environment["config"].get("reward")):
        return None
    task, environment = TASKS[description.task], description.environment
    spec, entry_point = gymnasium.spec(task.gymnasium_id), None
    kwargs = {**spec.kwargs, "preset": environment["preset"], **changed_fields(description)}
    if per_agent:
        entry_point, kwargs = "wirelessenvs.single:AgentEnv", kwargs | agent_arguments(description)
    return type(spec)(
        id=spec.id,
        entry_point=entry_point or spec.entry_point,
        max_episode_steps=description.steps,
        kwargs=kwargs,
    )


# -------------------------------------------------------------------------------- checksums
def _checksums(path: Path, episodes: int) -> list[str]:
    """SHA-256 of every episode of an HDF5 file that was just written."""
    import h5py

    with h5py.File(path, "r") as file:
        return [_digest(_nodes(file[f"episode_{k}"], str(path))) for k in range(episodes)]


def _nodes(group: Any, where: str, prefix: str = "") -> dict[str, Any]:
    """HDF5's handles of all arrays of an episode, by path, in order; nothing is read.

    Args:
        group: of the episode.
        where: stands before the path in errors.
        prefix: of the paths.

    Raises:
        DatasetError: for a link or an array whose values lie elsewhere: these are not followed.
    """
    import h5py

    found: dict[str, Any] = {}
    for name in sorted(group):
        path, own = f"{prefix}{name}", isinstance(group.get(name, getlink=True), h5py.HardLink)
        node = group[name] if own else None
        if isinstance(node, h5py.Group):
            found |= _nodes(node, where, f"{path}/")
        elif isinstance(node, h5py.Dataset) and not (node.is_virtual or node.external):
            found[path] = node
        else:
            raise DatasetError(f"{where}: {path} is no array of this file.")
    return found


def _digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 of arrays or HDF5's handles of them, by path: names, types, shapes and values."""
    digest = hashlib.sha256()
    for path, stored in arrays.items():
        values = stored[()]
        kind = values.dtype.newbyteorder("<")
        digest.update(canonical_json([path, kind.str, list(values.shape)]).encode())
        digest.update(np.ascontiguousarray(values, kind).tobytes())
    return digest.hexdigest()


# ----------------------------------------------------------------------------------- import
def import_minari(folder: Path, out: Path, report: Report | None = None) -> Path:
    """Turns a Minari data set that `export_minari` wrote back into a data set.

    Nothing that the folder says is imported or called, and every episode is checked.

    Args:
        folder: of the Minari data set, which holds `data/`.
        out: folder of the new data set.
        report: called with the number of episodes done.

    Raises:
        DatasetError: if it was not exported by this package, or is damaged or changed.
        ImportError: if h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError("Minari is not installed: pip install 'wirelessenvs[minari]'.") from None
    data = folder / "data" if (folder / "data").is_dir() else folder
    if not (data / "metadata.json").exists():
        raise DatasetError(f"{folder} is no Minari data set: {data} holds no metadata.json.")
    description, sums = _described(folder, read_json(data / "metadata.json"))
    path = data / _FILE
    if not path.is_file():
        raise DatasetError(f"{path}: the file is missing or no file.")
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise DatasetError(f"{path}: is no HDF5 file that can be read: {error}.") from None

    def checked(episode: int) -> dict[str, NDArray[Any]]:
        arrays = _episode(file, path, episode, description)
        if _digest(arrays) != sums[episode]:
            raise DatasetError(
                f"{path}: episode {episode} does not fit its checksum: the file was changed."
            )
        return _arrays(arrays, description)

    with file:
        return write_episodes(out, description, checked, report)


def _described(folder: Path, metadata: Any) -> tuple[Description, list[str]]:
    """What an export says of itself."""
    if isinstance(metadata, dict) and _PER_AGENT in metadata:
        raise DatasetError(
            f"{folder} holds an episode per agent, which does not say all of an episode: export "
            "without --per-agent to import again."
        )
    text = metadata.get(_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise DatasetError(f"{folder} was not exported by this package: key {_KEY!r} is missing.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise DatasetError(f"{folder}: key {_KEY!r} is not valid JSON.") from None
    description = Description.from_json(document, "metadata.json")
    sums = metadata.get(_SUMS)
    if not isinstance(sums, list) or not all(isinstance(entry, str) for entry in sums):
        raise DatasetError(
            f"{folder}: key {_SUMS!r} is missing: it was changed, or exported by a version before "
            "0.2, which wrote no checksums: export it again."
        )
    held = metadata.get("total_episodes")
    if not held == len(sums) - 1 == description.num_episodes:
        raise DatasetError(
            f"{folder} holds {held} episodes and {len(sums)} checksums (one of each and one of the "
            f"description), its description {description.num_episodes} episodes."
        )
    if sums[-1] != _text_sum(text):
        raise DatasetError(f"{folder}: key {_KEY!r} does not fit its checksum: it was changed.")
    return description, sums[:-1]


def _text_sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _episode(
    file: Any, path: Path, episode: int, description: Description
) -> dict[str, NDArray[Any]]:
    """The arrays of an episode; all that importing needs is there in its size.

    Raises:
        DatasetError: naming file, episode and array.
    """
    import h5py

    where = f"{path}: episode {episode}"
    shapes = _shapes(description)
    try:
        group = file.get(f"episode_{episode}")
        if not isinstance(group, h5py.Group):
            raise DatasetError(f"{where} is missing.")
        nodes = _nodes(group, where)
        for name, shape in shapes.items():
            if name not in nodes:
                raise DatasetError(f"{where} has no array {name!r}.")
            # Before it is read: a damaged shape may ask for more than all memory.
            if nodes[name].shape != shape:
                raise DatasetError(
                    f"{where}, {name}: shape {nodes[name].shape} instead of {shape}."
                )
            if nodes[name].dtype.kind not in "biuf":
                raise DatasetError(f"{where}, {name}: holds no numbers, but {nodes[name].dtype}.")
        if unknown := nodes.keys() - shapes.keys():
            name = min(unknown).rpartition("/")[2]
            raise DatasetError(f"{where} holds an unknown array {name!r}.")
        return {name: node[()] for name, node in nodes.items()}
    except DatasetError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise DatasetError(f"{where} cannot be read: {error}.") from None


def _shapes(description: Description) -> dict[str, tuple[int, ...]]:
    """Of every array of an exported episode, by its path."""
    layouts = description.layouts()
    joint = {name: _swapped(x.shape[1:]) for name, x in layouts.items() if x.lead == 2}
    steps = (description.steps,)
    shapes = {name: joint[name] for name in ("observations", "actions")}
    shapes |= dict.fromkeys(("rewards", "terminations", "truncations"), steps)
    shapes["infos/agent_rewards"] = joint["rewards"]
    shapes |= {f"infos/action_{name}": joint[name] for name in description.forms}
    shapes |= {f"infos/{metric.name}": joint["rewards"] for metric in description.metrics}
    if description.adjacency is None:
        shapes["infos/adjacency"] = layouts["adjacency"].shape[1:]
    if description.state_size:
        shapes["infos/state"] = layouts["state"].shape[1:]
    return shapes


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[1], shape[0], *shape[2:])


def _arrays(found: dict[str, NDArray[Any]], description: Description) -> dict[str, NDArray[Any]]:
    """An episode as a data set holds it, `(1, N, T, ...)`."""
    arrays = {"observations": found["observations"], "actions": found["actions"]}
    arrays["rewards"] = found["infos/agent_rewards"]
    arrays |= {name: found[f"infos/action_{name}"] for name in description.forms}
    if description.metrics:
        columns = [found[f"infos/{metric.name}"] for metric in description.metrics]
        arrays["metrics"] = np.stack(columns, -1)
    result = {name: np.swapaxes(values, 0, 1)[None] for name, values in arrays.items()}
    if description.adjacency is None:
        result["adjacency"] = found["infos/adjacency"][None]
    if description.state_size:
        result["state"] = found["infos/state"][None]
    if description.terminations:
        result["terminations"] = found["terminations"][None]
    return result
