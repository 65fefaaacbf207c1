"""Weights and what describes them, beside documents; nothing in them is ever executed."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from networld_agent import __version__
from networld_agent.documents import (
    read_document,
    write_document,
    write_whole,
)
from networld_agent.errors import ModelError
from networld_agent.fields import Fields
from wirelessenvs.files import check_regular

__all__ = [
    "WeightsFormat",
    "check_weights",
    "fields_of",
    "fitting",
    "load_weights",
    "read_description",
    "read_weights",
    "save_weights",
    "versions",
]


T = TypeVar("T")

# What a description with contents that no writer makes can raise in the code that takes it.
_UNFIT: Final = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, MemoryError,
)  # fmt: skip


def fields_of(document: dict[str, Any], path: Path) -> Fields:
    """The entries of a description, checked as they are taken; faults are `ModelError`s."""
    return Fields(document, str(path), error=ModelError)


# ---------------------------------------------------------------------- weights
@dataclass(frozen=True)
class WeightsFormat:
    """Weights as safetensors, and the JSON object that describes them, in one folder.

    The weights have a file name of their own content, and the description, which names it, is
    replaced last and at once: whatever moment a writer is killed at, the folder is whole.

    Args:
        what: the folder holds, for sentences on what it is not: "model".
        file: of the description.
        stem: of the weights' file, `<stem>-<digest>.safetensors`.
        name: of the format, as descriptions state it; empty if they state none.
        version: that is written, and the newest that is read.
        key: of the description's entry that names the weights' file.
    """

    what: str
    file: str
    stem: str
    name: str = ""
    version: int = 1
    key: str = "weights"

    def is_weights(self, name: object) -> bool:
        """Whether a file of this name holds weights."""
        pattern = rf"{self.stem}-[0-9a-f]{{16}}\.safetensors"
        return isinstance(name, str) and re.fullmatch(pattern, name) is not None


def versions() -> dict[str, str]:
    """What a description says of the packages that wrote it."""
    return {"networld_agent": __version__, "torch": torch.__version__}


def save_weights(
    form: WeightsFormat, folder: Path, document: dict[str, Any], tensors: Mapping[str, Tensor]
) -> Path:
    """Replaces what a folder holds of a format; returns the folder.

    Args:
        form: of both files.
        folder: made if it is missing.
        document: description beside format and weights, as JSON values.
        tensors: by name.
    """
    data = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )
    digest = hashlib.sha256(data).hexdigest()
    file = f"{form.stem}-{digest[:16]}.safetensors"
    header = {"format": form.name, "format_version": form.version} if form.name else {}
    listed = {"file": file, "bytes": len(data), "sha256": digest}
    write_whole(folder / file, data)
    write_document(folder / form.file, {**header, **document, form.key: listed})
    for old in folder.glob(f"{form.stem}-*.safetensors"):
        if form.is_weights(old.name) and old.name != file:
            old.unlink()
    return folder


def read_description(form: WeightsFormat, folder: Path) -> dict[str, Any]:
    """The description in a folder, of a format and version that can be read.

    Raises:
        ModelError: naming the file and its fault.
    """
    path = folder / form.file
    document = read_document(path, form.what)
    if form.name:
        if document.get("format") != form.name:
            raise ModelError(f"{path}: is no description of a {form.what}.")
        version = document.get("format_version")
        if not isinstance(version, int) or version > form.version:
            raise ModelError(
                f"{path}: has format version {version}; this package reads up to "
                f"{form.version}: upgrade it."
            )
    return document


def read_weights(
    form: WeightsFormat, folder: Path, document: dict[str, Any]
) -> dict[str, torch.Tensor]:
    """The tensors that a description names.

    Raises:
        ModelError: naming the file and its fault.
    """
    path, data = _checked_bytes(form, folder, document)
    try:
        return dict(safetensors.torch.load(data))
    except Exception as error:
        raise ModelError(f"{path}: holds no tensors that can be read: {error}.") from None


def check_weights(path: Path) -> None:
    """Checks that a description is whole and that the very weights are there that it names.

    Raises:
        ModelError: naming the file and its fault.
    """
    # Of whatever kind: the name of the weights says so, and nothing is made of them here.
    form = WeightsFormat("trained model", path.name, r"[a-z-]+")
    _checked_bytes(form, path.parent, read_document(path, form.what))


def _checked_bytes(
    form: WeightsFormat, folder: Path, document: dict[str, Any]
) -> tuple[Path, bytes]:
    listed = fields_of(document, folder / form.file).sub(form.key)
    file, size, digest = listed.text("file"), listed.integer("bytes"), listed.text("sha256")
    if not form.is_weights(file):
        raise ModelError(f"{folder / form.file}: names a weights file {file!r} that is none.")
    path = folder / file
    try:
        # Before it is read: a file of another size need not fit into memory.
        held = check_regular(path).st_size
        data = path.read_bytes() if held == size else b""
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    if held != size:
        raise ModelError(f"{path}: has {held} bytes instead of {size}: the file is cut.")
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(f"{path}: does not fit its checksum: the file was changed.")
    return path, data


def load_weights(
    form: WeightsFormat,
    folder: Path,
    document: dict[str, Any],
    make: Callable[[], T],
    weights: Callable[[T], nn.Module],
    left_out: Callable[[str], bool] = lambda _: False,
) -> T:
    """Makes what a description is of and fills it with the weights that it names.

    Args:
        form: of both files.
        folder: that holds them.
        document: the description.
        make: what it describes, with any weights; cannot make more of them than the file holds.
        weights: the module of it that is filled.
        left_out: tensors by name that what is made has no place for, asked once it is made.

    Raises:
        ModelError: naming the file and its fault: its bytes, a description that nothing can be made
            of, or a tensor that is missing, unknown, of another kind or shape, or not finite.
    """
    tensors = read_weights(form, folder, document)
    path = folder / document[form.key]["file"]
    with fitting(folder / form.file), _Bounded(sum(tensor.numel() for tensor in tensors.values())):
        made = make()
    tensors = {name: tensor for name, tensor in tensors.items() if not left_out(name)}
    module = weights(made)
    own = module.state_dict()
    for name in own.keys() | tensors.keys():
        if name not in tensors or name not in own:
            where = "lacks" if name not in tensors else "has an unknown"
            raise ModelError(f"{path}: {where} tensor {name!r}.")
        if tensors[name].shape != own[name].shape or tensors[name].dtype != own[name].dtype:
            raise ModelError(
                f"{path}: tensor {name!r} is {tensors[name].dtype} of shape "
                f"{tuple(tensors[name].shape)} instead of {own[name].dtype} "
                f"{tuple(own[name].shape)}."
            )
        if not torch.isfinite(tensors[name]).all():
            raise ModelError(f"{path}: tensor {name!r} holds a number that is not finite.")
    module.load_state_dict(tensors)
    return made


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Says of a file that it cannot be used, where using what stands in it fails.

    Raises:
        ModelError: in one sentence.
    """
    try:
        yield
    except ModelError as error:
        if str(path.parent) in str(error):
            raise
        raise ModelError(f"{path}: cannot be used: {error}") from None
    except _UNFIT as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"{reason} is missing"
        raise ModelError(f"{path}: cannot be used: {reason}.") from None


#: Numbers that a new tensor counts for, however small it is.
_CALL: Final = 4096


class _Bounded(TorchFunctionMode):
    """While it lasts, tensors are not made of more numbers than a file's weights explain.

    A description may ask for a network of any size: asked for before memory is.

    Args:
        held: numbers in the file.
    """

    def __init__(self, held: int) -> None:
        super().__init__()
        # Networks make less than this beside their weights: schedules, bins, masks.
        self._left = self._most = 4 * held + 2**24

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS:
            self._left -= _MAKERS[func](args, kwargs)
            if self._left < 0:
                raise ModelError(
                    f"it describes a network of more than {self._most} numbers, its weights are "
                    "fewer."
                )
        return func(*args, **kwargs)


def _shape_of(args: Any, kwargs: Mapping[str, Any]) -> int:
    shape = args if args else kwargs.get("size", ())
    while len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    # A call counts even where it makes nothing: layers are bounded, too.
    return _CALL + math.prod(int(size) for size in shape if isinstance(size, int))


def _full(args: Any, kwargs: Mapping[str, Any]) -> int:
    return _shape_of(args[:1], kwargs)


def _range(args: Any, kwargs: Mapping[str, Any]) -> int:
    numbers = [abs(value) for value in (*args, *kwargs.values()) if isinstance(value, (int, float))]
    return _CALL + int(sum(numbers))


_MAKERS: Final = {
    **dict.fromkeys((torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn), _shape_of),
    torch.full: _full,
    **dict.fromkeys((torch.arange, torch.linspace), _range),
}
