"""Fingerprints of the source code that a job's result depends on.

Comments, docstrings and formatting do not count: words redo no work. What draws, prints or inspects
does not count either. A job's inputs carry the fingerprints of the code that made them.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["METHODS", "ROOT", "fingerprint", "forget", "source_files"]

#: Of the checkout.
ROOT: Final = Path(__file__).resolve().parents[3]

#: Parts that no result depends on.
_SHOWN_ONLY: Final = {
    "wirelessenvs/bench.py",
    "wirelessenvs/command.py",
    "wirelessenvs/machine.py",
    "wirelessenvs/play.py",
    "wirelessenvs/reference.py",
    "wirelessenvs/rendering.py",
    "wirelessenvs/scores.py",
    "networld_agent/data/__main__.py",
    "networld_agent/data/inspection.py",
    "networld_agent/data/minari_exchange.py",
    "networld_agent/evaluation/table.py",
    "networld_agent/training/latent_health.py",
    "networld_agent/training/log.py",
}
_SHOWN_NAMES: Final = {"rendering.py", "reference.py"}
#: Parts that only adaptation uses, inside of folders that count for others.
_ADAPTATION_ONLY: Final = {"networld_agent/evaluation/tuning.py"}

_DATA: Final = ("networld_agent/data",)
_MODEL: Final = (
    "networld_agent/model",
    "networld_agent/training",
    "networld_agent/config.py",
    "networld_agent/cuda_graph.py",
    "networld_agent/device.py",
    "networld_agent/storage.py",
    "networld_agent/keyed_random.py",
)
_PLAY: Final = (
    "wirelessenvs",
    "networld_agent/evaluation",
    "networld_agent/collecting",
    "networld_agent/worlds",
)
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "collect": (
        "wirelessenvs", *_DATA, "networld_agent/collecting", "networld_agent/worlds",
        "benchmarks/experiment/jobs/collecting.py",
    ),
    "pretrain": (*_DATA, *_MODEL, "benchmarks/experiment/jobs/world_models.py"),
    "adapt": (
        *_DATA, *_MODEL, *_PLAY, "networld_agent/planning",
        "benchmarks/experiment/jobs/world_models.py", "benchmarks/experiment/jobs/worlds.py",
    ),
    "fit": (
        *_DATA, *_PLAY, "networld_agent/model/action_spec.py",
        "networld_agent/model/task_spec.py", "networld_agent/model/symlog.py",
        "networld_agent/storage.py", "networld_agent/training/windows.py",
        "networld_agent/device.py", "networld_agent/keyed_random.py",
        "benchmarks/experiment/jobs/fitting.py", "benchmarks/experiment/jobs/worlds.py",
    ),
    "evaluate": (
        *_PLAY, "benchmarks/experiment/jobs/evaluating.py", "benchmarks/experiment/jobs/worlds.py",
    ),
}  # fmt: skip
#: Of evaluation, by what is played.
_PLAYED: Final = {
    "networld": (
        "networld_agent/planning",
        "networld_agent/model",
        "networld_agent/cuda_graph.py",
        "networld_agent/device.py",
        "networld_agent/keyed_random.py",
    ),
    "baseline": (
        "networld_agent/model/action_spec.py",
        "networld_agent/model/task_spec.py",
        "networld_agent/model/symlog.py",
        "networld_agent/device.py",
        "networld_agent/keyed_random.py",
    ),
    "policy": (),
}
#: Modules of the baselines; those of other methods do not count.
_BASELINE_MODULES: Final = {
    "bc": "bc", "cql": "cql/method", "iql": "iql", "dt": "dt/method", "dd": "dd/method",
    "dima": "dima/offline",
}  # fmt: skip
#: Of NetWorld, what a baseline's own modules build on.
_BASELINE_PARTS: Final = {
    "dd": (
        "networld_agent/model", "networld_agent/keyed_random.py",
        "networld_agent/planning/samplers.py", "networld_agent/training/config.py",
        "networld_agent/training/ema.py",
    ),
}  # fmt: skip
#: Whose training or play has its own code.
METHODS: Final = ("networld", *_BASELINE_MODULES)


@cache
def fingerprint(kind: str, method: str | None = None, root: Path = ROOT) -> str:
    """SHA-256 of the code behind a kind of job, as it is when first asked for.

    Args:
        kind: of the job.
        method: a baseline's name for its training and play; "networld"; None for policies of the
            task.
        root: of the checkout.
    """
    lines = [
        f"{path.relative_to(root).as_posix()} {_digest(path)}"
        for path in source_files(kind, method, root)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def forget() -> None:
    """Reads the files anew when asked again."""
    fingerprint.cache_clear()
    _digest.cache_clear()


def source_files(kind: str, method: str | None = None, root: Path = ROOT) -> list[Path]:
    """The files that count, sorted.

    Raises:
        ValueError: for a method whose code is not known.
    """
    if method is not None and method not in METHODS:
        raise ValueError(f"no code is known of the method {method!r}: enter it in {__name__}.")
    kind = "evaluate" if kind == "curve" else kind
    parts = list(_PARTS[kind])
    found: set[Path] = set()
    if kind == "evaluate":
        played = "policy" if method is None else "baseline"
        parts += _PLAYED["networld" if method == "networld" else played]
    if method in _BASELINE_MODULES:
        found |= _closure(root, f"benchmarks/baselines/{_BASELINE_MODULES[method]}.py")
        parts += _BASELINE_PARTS.get(method, ())
    for part in parts:
        path = root / part
        found |= {path} if path.is_file() else {*path.rglob("*.py"), *path.rglob("*.npz")}
    left_out = _SHOWN_ONLY if kind == "adapt" else _SHOWN_ONLY | _ADAPTATION_ONLY
    return sorted(
        path
        for path in found
        if path.relative_to(root).as_posix() not in left_out and path.name not in _SHOWN_NAMES
    )


def _closure(root: Path, start: str) -> set[Path]:
    """A module and all modules of this checkout's benchmarks that it imports."""
    open_, found = [root / start], set[Path]()
    while open_:
        path = open_.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        for name in _imported(ast.parse(path.read_bytes())):
            if name.startswith("benchmarks."):
                open_.append(root / (name.replace(".", "/") + ".py"))
    return found


def _imported(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".py":
        tree = ast.parse(data)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                _drop_docstring(node)
        data = ast.dump(tree).encode()
    return hashlib.sha256(data).hexdigest()


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:]
