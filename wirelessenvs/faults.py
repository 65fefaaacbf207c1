"""Expected faults of a command as one sentence: the disk, the memory, what is not installed."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = [
    "EXTRAS",
    "WriteError",
    "check_installed",
    "fault_sentence",
    "needs_extra",
    "write_error",
    "writing",
]

#: The extra that installs a module which not everybody needs.
EXTRAS: Final = {
    "PIL": "render",
    "benchmarl": "benchmarl",
    "d3rlpy": "validation",
    "gymnasium_robotics": "mamujoco",
    "h5py": "minari",
    "hydra": "benchmarl",
    "matplotlib": "render",
    "minari": "minari",
    "mobile_env": "peers",
    "mpe2": "mpe2",
    "mujoco": "mamujoco",
    "networkx": "graph",
    "omegaconf": "benchmarl",
    "pandas": "pandas",
    "ray": "ray",
    "safetensors": "agent",
    "stable_baselines3": "interop",
    "supersuit": "testing",
    "tensorboard": "tensorboard",
    "tensordict": "torchrl",
    "torch": "agent",
    "torch_geometric": "graph",
    "torchrl": "torchrl",
    "vector_quantize_pytorch": "dima",
    "vmas": "peers",
}

_FULL: Final = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_ROOM: Final = "make room and repeat the same command."
#: How PyTorch, which has no MemoryError, says that there is no memory, on a CPU and on a GPU.
_NO_MEMORY: Final = re.compile(r"can't allocate memory|out of memory", re.IGNORECASE)
#: What was asked for, in NumPy's and PyTorch's words.
_ASKED: Final = re.compile(
    r"(?:unable to allocate|tried to allocate) ([\d.]+ \w+?)\b", re.IGNORECASE
)
#: Options of commands that memory grows with.
_SIZES: Final = ("num_envs", "jobs", "windows", "samples", "episodes", "tune_episodes")


class WriteError(OSError):
    """A file that could not be written; the sentence names it and says what to do."""


def write_error(path: Path, error: OSError, advice: str = _ROOM) -> WriteError:
    """The error of a failed write as one sentence.

    Args:
        path: of the file or folder.
        error: of the system.
        advice: what to do where the disk is full.
    """
    if isinstance(error, WriteError):
        return error
    reason = error.strerror or str(error)
    if error.errno not in _FULL:
        return WriteError(f"cannot write {path}: {reason}.")
    return WriteError(f"cannot write {path}: {reason}. {advice[0].upper()}{advice[1:]}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Surrounds what writes to a file or folder: faults of the system name it."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from None


def check_installed(*modules: str) -> None:
    """Raises now, before long work, if a module that its end needs is not installed.

    Raises:
        ModuleNotFoundError: of the first that is missing.
    """
    for module in modules:
        # None stands there for what must not be imported; `find_spec` would not take it.
        known = module in sys.modules
        if sys.modules[module] is None if known else importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


@contextmanager
def needs_extra(extra: str, *modules: str) -> Iterator[None]:
    """Surrounds the imports of a part that needs an extra of its own, as `wirelessenvs.torchrl`.

    Args:
        extra: that installs what is missing.
        modules: that it installs.

    Raises:
        ImportError: in one sentence, if one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in modules:
            raise
        raise ImportError(
            f"{package} is not installed: pip install 'wirelessenvs[{extra}]'"
        ) from None


def fault_sentence(error: BaseException, options: Collection[str] = ()) -> str | None:
    """What an expected fault says; None for a fault of the program.

    Args:
        error: that ended the work.
        options: names of the command's options, to say which of them to lower.
    """
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.partition(".")[0]
        if package in EXTRAS:
            extra = EXTRAS[package]
            return f"{package} is not installed: pip install 'wirelessenvs[{extra}]'"
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))
    ):
        return _memory_sentence(str(error), options)
    if isinstance(error, OSError) and not isinstance(error, WriteError) and error.errno in _FULL:
        # What has no name is mostly the standard output: whatever writes a file names it.
        place = os.fsdecode(error.filename) if error.filename else "the output"
        return str(write_error(Path(place), error))
    if isinstance(error, (ValueError, TypeError, ImportError, OSError)):
        return str(error)
    return None


def _memory_sentence(text: str, options: Collection[str]) -> str:
    asked = _ASKED.search(text)
    wanted = f"{_readable(asked[1])} more were asked for" if asked else "no more can be had"
    names = [f"--{name.replace('_', '-')}" for name in _SIZES if name in options]
    if "overrides" in options:
        names.append("sizes given by --set")
    if "preset" in options:
        names.append("--preset")
    *others, last = names or ["sizes or batches"]
    lower = f"lower {', '.join(others)} or {last}" if others else f"lower {last}"
    return f"the memory is not enough ({wanted}): {lower}, or use a machine with more."


def _readable(amount: str) -> str:
    """`"2147483648 bytes"` as `"2.1 GB"`; other units as they are."""
    number, unit = amount.split()
    return f"{float(number) / 1e9:.1f} GB" if unit == "bytes" else f"{float(number):g} {unit}"
