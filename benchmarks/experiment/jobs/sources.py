"""Fingerprints of the source code that a job's result depends on.

That is the job's own module with all that it imports, the class of its method, and the modules of
its task. A job's inputs carry the fingerprints of the code that made them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks import imports
from benchmarks.experiment.jobs.work import WORK, player_module
from benchmarks.experiment.methods import METHODS
from benchmarks.imports import PACKAGES, ROOT, digest, home_of, module_files
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["ROOT", "fingerprint", "forget", "source_files", "source_of"]

#: What only prints, draws, inspects, or says where the rest is: no result depends on it.
_SHOWN_ONLY: Final = frozenset(
    {
        "benchmarks/baselines/registry.py",
        "benchmarks/experiment/jobs/execute.py",
        "benchmarks/experiment/jobs/work.py",
        "networld_agent/data/data_frame.py",
        "networld_agent/data/inspection.py",
        "wirelessenvs/locks.py",
        "networld_agent/orphans.py",
        "networld_agent/training/latent_health.py",
        "networld_agent/training/log.py",
        "wirelessenvs/command.py",
        "wirelessenvs/faults.py",
        "wirelessenvs/reference.py",
        "wirelessenvs/rendering.py",
        *(f"wirelessenvs/{task}/{name}.py"
          for task in ("cbf", "rb", "slicing") for name in ("reference", "rendering")),
    }
)  # fmt: skip


def source_of(kind: str, settings: dict[str, Any]) -> str:
    """Fingerprint of the code behind a job."""
    env = settings.get("tuning", settings).get("env")
    return fingerprint(kind, settings.get("class", settings.get("method")), env)


@cache
def fingerprint(
    kind: str, method: str | None = None, env: str | None = None, root: Path = ROOT
) -> str:
    """SHA-256 of the files of `source_files`, as they are when first asked for."""
    return digest(source_files(kind, method, env, root))


def forget() -> None:
    """Reads the files anew when asked again."""
    fingerprint.cache_clear()
    imports.forget()


def source_files(
    kind: str, method: str | None = None, env: str | None = None, root: Path = ROOT
) -> dict[str, Path]:
    """The files that count, by their name in the folder of their package, sorted.

    Args:
        kind: of the job.
        method: that it trains or plays, by its name or as `module:Class`; None for policies of the
            task.
        env: id of its task; None for all tasks.
        root: of the checkout.

    Raises:
        ValueError: for a method whose code is not known.
    """
    modules = [f"{WORK[kind]}:{kind}"]
    places: dict[str, Path] = {}
    if method is not None and kind in ("evaluate", "curve"):
        modules.append(player_module(method))
    if (path := _class_path(method)) is not None and kind not in ("pretrain", "adapt"):
        module = path.partition(":")[0]
        modules.append(module)
        places = _place(module)
    if kind != "pretrain":
        modules += [get_task(task).package for task in (TASKS if env is None else (env,))]
    return module_files(modules, root, _SHOWN_ONLY, places)


def _class_path(method: str | None) -> str | None:
    if method is None or ":" in method:
        return method
    if method not in METHODS:
        raise ValueError(f"no code is known of the method {method!r}.")
    return METHODS[method].path


def _place(module: str) -> dict[str, Path]:
    """The folder that holds a package which is not of this project; it is not imported."""
    name = module.partition(".")[0]
    if name in PACKAGES:
        return {}
    if (home := home_of(name)) is None:
        raise ValueError(f"no code is known of {module!r}: there is no package {name!r}.")
    return {name: home}
