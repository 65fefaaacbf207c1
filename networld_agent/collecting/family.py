"""Collects data over a family: one folder with a data set per deployment."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from networld_agent.collecting.processes import Work, share_out
from networld_agent.collecting.run import Reporter, collect
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.sources import EpisodeSource
from networld_agent.collecting.tiers import default_epsilon, tier_number
from networld_agent.data.family import FORMAT, FORMAT_VERSION, deployment_folder, read_family
from networld_agent.data.files import storage_fault
from networld_agent.data.metadata import FAMILY_FILE
from networld_agent.documents import write_document
from wirelessenvs.checks import check_int
from wirelessenvs.families import deployments
from wirelessenvs.families.deployment import SPLIT_SIZE
from wirelessenvs.json_values import first_difference

__all__ = ["FamilySettings", "collect_family"]

#: Episodes that a deployment may have: seeds of two deployments lie this far apart.
_MOST_EPISODES: Final = 2**16
#: Keys of a family's deployments are less: at most 15 splits.
_KEYS: Final = 16 * SPLIT_SIZE


@dataclass(frozen=True, kw_only=True)
class FamilySettings:
    """Settings of a collection over deployments.

    Args:
        family: "rb", "cbf" or "slicing".
        split: of the deployments.
        indices: of the deployments within the split.
        policy: as in `CollectionSettings`; "expert" is the family's.
        overrides: fields of the task's configuration that no deployment fixes.
        epsilon: as in `CollectionSettings`.
        episodes: of each deployment.
        steps: of every episode.
        seed: equal ones give equal episodes, others have no episode in common. By default every
            tier has its own.
        state: as in `CollectionSettings`.

    Raises:
        ValueError: for an unknown family or split, or a value out of bounds.
    """

    family: str
    split: str
    indices: Sequence[int]
    policy: str = "expert"
    overrides: dict[str, Any] = field(default_factory=dict)
    epsilon: float | None = None
    episodes: int = 2
    steps: int = 500
    seed: int | None = None
    state: bool = False

    def __post_init__(self) -> None:
        deployments(self.family, self.split)
        if not self.indices or len(set(self.indices)) < len(self.indices):
            raise ValueError(f"deployments must be different ones, got {list(self.indices)}.")
        if self.epsilon is None:
            object.__setattr__(self, "epsilon", default_epsilon(self.policy))
        check_int("--episodes-per-deployment", self.episodes, 1, _MOST_EPISODES)
        seed = tier_number(self.policy) if self.seed is None else self.seed
        object.__setattr__(self, "seed", check_int("--seed", seed, 0, 2**18 - 1))
        self.at(self.indices[0])

    def at(self, index: int) -> CollectionSettings:
        """The settings of one deployment's data set."""
        site = deployments(self.family, self.split)[index]
        assert self.seed is not None
        return CollectionSettings(
            env=site.family.task_id,
            deployment=site,
            overrides=self.overrides,
            policy=self.policy,
            epsilon=self.epsilon,
            episodes=self.episodes,
            steps=self.steps,
            # At least 2^40: far from the seeds of evaluation and of single data sets.
            seed=(self.seed * _KEYS + site.key) * _MOST_EPISODES,
            state=self.state,
        )

    def document(self) -> dict[str, Any]:
        """The contents of `family.json` as JSON values."""
        sites = deployments(self.family, self.split)
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "family": self.family,
            "version": sites.family.version,
            "split": self.split,
            "policy": self.policy,
            "epsilon": self.epsilon,
            "episodes_per_deployment": self.episodes,
            "steps": self.steps,
            "seed": self.seed,
            "state": self.state,
            "overrides": self.overrides,
            "deployments": [
                {"index": index, "fingerprint": sites[index].fingerprint} for index in self.indices
            ],
        }
        plain: dict[str, Any] = json.loads(json.dumps(document))
        return plain


def collect_family(
    settings: FamilySettings,
    out: str | Path,
    *,
    num_envs: int = 64,
    jobs: int = 1,
    report: Reporter | None = None,
) -> Path:
    """Collects a data set per deployment into the folder `out`; returns it.

    A run that was stopped goes on with the same call. Nothing is done for a deployment whose data
    set is whole. Neither `num_envs` nor `jobs` changes a byte.

    Args:
        settings: what to collect.
        out: folder; must not exist, be empty, or be of this very collection.
        num_envs: most episodes of a deployment side by side.
        jobs: processes, each with a deployment at a time; 1 works in this process.
        report: told "collecting", how many steps are done, and of how many.

    Raises:
        ValueError: if settings do not fit the family, or `out` holds something else.
        OSError: if the disk cannot take it.

    Example:
        >>> settings = FamilySettings(family="rb", split="train", indices=range(64))
        >>> collect_family(settings, "data/rb-family", jobs=8)  # doctest: +SKIP
    """
    check_int("--num-envs", num_envs, 1)
    check_int("--jobs", jobs, 1, 10_000)
    folder, indices = Path(out), settings.indices
    # A wrong policy or override is known before anything is written.
    EpisodeSource(settings.at(indices[0])).close()
    _claim(folder, settings.document())
    steps = settings.episodes * settings.steps
    total = len(indices) * steps
    done = steps * sum(deployment_folder(folder, index).exists() for index in indices)

    def progress(more: int) -> None:
        nonlocal done
        done += more
        if report is not None:
            report("collecting", done, total)

    progress(0)
    alone = len(indices) == 1
    prepare = functools.partial(_sites, settings, folder, num_envs, jobs if alone else 1)
    if jobs > 1 and not alone:
        share_out(prepare, indices, jobs, lambda _: None, progress)
    else:
        with prepare() as play:
            for index in indices:
                play(index, progress)
    return folder


@contextlib.contextmanager
def _sites(
    settings: FamilySettings, folder: Path, num_envs: int, jobs: int
) -> Iterator[Work[int, None]]:
    def play(index: int, progress: Callable[[int], None]) -> None:
        target, told = deployment_folder(folder, index), 0
        kept = target.exists()

        def report(what: str, done: int, _: int) -> None:
            nonlocal told
            if what == "collecting":
                progress(done - told)
                told = done

        collect(settings.at(index), target, num_envs=num_envs, jobs=jobs, report=report)
        if not kept:
            # Of the episodes that an earlier run left finished.
            progress(settings.episodes * settings.steps - told)

    yield play


def _claim(folder: Path, document: dict[str, Any]) -> None:
    """Makes the folder that of this collection.

    Raises:
        ValueError: saying what it holds instead.
    """
    path = folder / FAMILY_FILE
    if path.exists():
        if (found := first_difference(read_family(folder), document)) is not None:
            raise ValueError(f"{folder} holds data of a family with other settings: {found}.")
        return
    if folder.exists() and (
        not folder.is_dir() or any(not entry.name.startswith(".") for entry in folder.iterdir())
    ):
        raise ValueError(f"{folder} exists and holds no data of a family: choose another --out.")
    try:
        write_document(path, document)
    except OSError as error:
        raise storage_fault(path, error) from None
