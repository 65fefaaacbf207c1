"""The same work on two devices, and whether the same comes out.

Every test names some work as a function of a device. It is done on the CPU and on another device,
from the same seeds, and the results are compared. There are three other devices:

* "cpu", where both sides must be equal bit for bit: it shows that the harness itself is fair (same
  inputs, same random numbers, nothing left over from the first side).
* "rounded", the CPU with a rounding error added to every product, sum and function, forwards and
  backwards: it shows that the tolerances stand what another order of summation does.
* "cuda", under the marker `gpu`.

Tests of fewer bits have "tf32" and "bf16" instead of "rounded": a CPU that rounds the factors of
its products to those bits.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from other_rounding import OtherRounding, ShortFactors
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = [
    "MEASURED",
    "OTHERS",
    "TF32_OTHERS",
    "HostNoise",
    "Other",
    "assert_close",
    "assert_parity",
    "on_side",
    "watched_generator",
]

CPU = torch.device("cpu")
#: A tensor counts as no smaller than this share of the greatest of its group: gradients that are
#: zero on paper are nothing but rounding, and no relative error of them means anything.
_FLOOR = 0.03
_BITS = {"tf32": 10, "bf16": 7}
#: (test, worst error, tolerance) of every comparison, for the summary at the end.
MEASURED: list[tuple[str, float, float]] = []


@dataclass(frozen=True)
class Other:
    """The device that the CPU is compared with."""

    name: str

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return torch.device("cuda" if self.name == "cuda" else "cpu")

    @property
    def exact(self) -> bool:
        """Whether the same bits must come out."""
        return self.name == "cpu"


_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
OTHERS = [
    pytest.param(Other("cpu"), id="cpu"),
    pytest.param(Other("rounded"), id="rounded"),
    pytest.param(Other("cuda"), id="cuda", marks=_GPU),
]
TF32_OTHERS = [pytest.param(Other("tf32"), id="tf32"), OTHERS[-1]]


class HostNoise(TorchFunctionMode):
    """Random numbers that were asked for on a GPU are drawn on the CPU, and copied there.

    The generators of both differ: with the same seed, only numbers of one of them can be compared.
    On the CPU nothing changes.
    """

    _MADE = (torch.randn, torch.rand, torch.randint, torch.randperm)
    _LIKE = (torch.randn_like, torch.rand_like, torch.randint_like)
    _FILLED = (Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.bernoulli_)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func in self._MADE and not options.get("generator"):
            device = torch.device(options.pop("device", None) or CPU)
            return func(*args, **options, device=CPU).to(device)
        if func in self._LIKE:
            like = torch.empty_like(args[0], device=CPU)
            return func(like, *args[1:], **options).to(args[0].device)
        if func in self._FILLED and not options.get("generator"):
            drawn = func(torch.empty_like(args[0], device=CPU), *args[1:], **options)
            with torch.no_grad():
                return args[0].copy_(drawn)
        return func(*args, **options)


@contextmanager
def watched_generator() -> Iterator[None]:
    """Warns if the work drew numbers on the GPU, which `HostNoise` does not know of."""
    with pytest.MonkeyPatch.context() as patched:
        # Seeds of the work are for the CPU, where all numbers come from; this one stays as it is.
        patched.setattr(torch.cuda, "manual_seed_all", lambda _: None)
        before = torch.cuda.get_rng_state()
        yield
        if not torch.equal(before, torch.cuda.get_rng_state()):
            warnings.warn("random numbers were drawn on the GPU: they differ", stacklevel=2)


def on_side(work: Callable[[torch.device], Any], other: Other, host: bool = False) -> Any:
    """What some work returns on a device, as a flat dictionary of tensors on the CPU.

    Args:
        work: to be done.
        other: where.
        host: whether results are expected on the CPU, as numbers and files are.
    """
    device = other.device
    torch.manual_seed(0)
    with ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(watched_generator())
        if other.name == "rounded":
            stack.enter_context(OtherRounding())
        if other.name in _BITS:
            stack.enter_context(ShortFactors(_BITS[other.name]))
        stack.enter_context(HostNoise())
        found = _flat(work(device))
    for name, value in found.items():
        place = "cpu" if host else device.type
        assert value.device.type == place, f"{name} is on {value.device}, not on {place}"
    return {name: value.detach().to("cpu", copy=True) for name, value in found.items()}


def assert_parity(
    work: Callable[[torch.device], Any],
    other: Other,
    relative: float = 1e-4,
    *,
    joint: bool = False,
    host: bool = False,
) -> dict[str, Tensor]:
    """Does the work on the CPU and elsewhere and compares; returns the CPU's results.

    Args:
        work: returns tensors, in any nesting; those under one name at the top are a group.
        other: the second device.
        relative: tolerance on a device that is not the CPU; see `assert_close`.
        joint: as in `assert_close`.
        host: as in `on_side`.
    """
    here, there = on_side(work, Other("cpu"), host), on_side(work, other, host)
    assert_close(here, there, 0.0 if other.exact else relative, joint=joint)
    return here


def assert_close(
    here: Mapping[str, Tensor], there: Mapping[str, Tensor], relative: float, joint: bool = False
) -> None:
    """Fails, naming the tensors, unless all pairs agree; whole numbers must be equal.

    Args:
        here: the reference.
        there: under the same names, of the same shapes and types.
        relative: greatest error, as a share of the tensor's greatest entry; 0 for equal bits.
        joint: compare lengths of vectors instead, of each group as one vector. Adam's first steps
            are signs of gradients: an entry that is nearly zero goes one way here and the other
            there, which the length of the whole difference shows for as little as it is.
    """
    assert here.keys() == there.keys(), set(here) ^ set(there)
    groups: dict[str, list[str]] = {}
    for name, value in here.items():
        seen = there[name]
        assert value.shape == seen.shape, f"{name}: {tuple(value.shape)}, {tuple(seen.shape)}"
        assert value.dtype == seen.dtype, f"{name}: {value.dtype}, {seen.dtype}"
        assert torch.equal(value.isfinite(), seen.isfinite()), f"{name}: not finite in one of them"
        if relative == 0 or not value.is_floating_point():
            equal = torch.equal(_finite(value), _finite(seen))
            assert equal, f"{name} differs: {value.flatten()[:8]}, {seen.flatten()[:8]}"
        if value.is_floating_point() and value.numel():
            groups.setdefault(name.split("/")[0], []).append(name)
    if relative:
        errors = {}
        for names in groups.values():
            measure = _joint_errors if joint else _errors
            errors |= measure(names, here, there)
        worst = max(errors.values(), default=0.0)
        MEASURED.append((os.environ.get("PYTEST_CURRENT_TEST", ""), worst, relative))
        over = sorted((e, name) for name, e in errors.items() if not e <= relative)
        shown = ", ".join(f"{name} by {error:.2e}" for error, name in over[-5:])
        assert not over, f"{len(over)} of {len(errors)} differ by more than {relative:g}: {shown}"


def _finite(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    return value.double().nan_to_num(0.0, 0.0, 0.0)


def _errors(
    names: list[str], here: Mapping[str, Tensor], there: Mapping[str, Tensor]
) -> dict[str, float]:
    sizes = {name: float(_finite(here[name]).abs().max()) for name in names}
    least = max(_FLOOR * max(sizes.values()), 1e-30)
    return {
        name: float((_finite(here[name]) - _finite(there[name])).abs().max())
        / max(sizes[name], least)
        for name in names
    }


def _joint_errors(
    names: list[str], here: Mapping[str, Tensor], there: Mapping[str, Tensor]
) -> dict[str, float]:
    pairs = [(_finite(here[name]), _finite(there[name])) for name in names]
    apart = sum(float((a - b).square().sum()) for a, b in pairs) ** 0.5
    size = sum(float(a.square().sum()) for a, _ in pairs) ** 0.5
    return {names[0].split("/")[0]: apart / max(size, 1e-30)}


def _flat(tree: Any, path: str = "") -> dict[str, Tensor]:
    """Tensors of nested containers by their path; numbers become tensors on the CPU."""
    if tree is None:
        return {}
    if isinstance(tree, Tensor):
        return {path: tree}
    if isinstance(tree, np.ndarray):
        return {path: torch.from_numpy(tree.copy())}
    if isinstance(tree, (bool, int, float)):
        return {path: torch.tensor(tree, dtype=torch.float64)}
    if isinstance(tree, nn.Module):
        items: Any = tree.state_dict().items()
    elif isinstance(tree, Mapping):
        items = tree.items()
    elif dataclasses.is_dataclass(tree):
        items = vars(tree).items()
    elif hasattr(tree, "_asdict"):
        items = tree._asdict().items()
    elif isinstance(tree, (list, tuple)):
        items = enumerate(tree)
    else:
        raise TypeError(f"{path}: {type(tree).__name__} cannot be compared")
    found: dict[str, Tensor] = {}
    for name, value in items:
        found |= _flat(value, f"{path}/{name}" if path else str(name))
    return found
