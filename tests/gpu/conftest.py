"""Precision of the comparisons, the second devices, and how close they came."""

import os

import pytest
import torch
from parity import MEASURED, OTHERS

torch.set_num_threads(1)
_set_precision = torch.set_float32_matmul_precision


@pytest.fixture(params=OTHERS)
def other(request):
    """The device that the CPU is compared with."""
    return request.param


@pytest.fixture(params=[OTHERS[0], OTHERS[-1]])
def place(request):
    """The same, where rounding is of no interest."""
    return request.param


@pytest.fixture(autouse=True)
def _full_precision():
    """Products in whole float32, whatever a command sets when it picks a GPU.

    Patched apart from the tests' own `monkeypatch`, which must be undone first: it would bring this
    patch back for all tests that follow.
    """
    before = torch.get_float32_matmul_precision()
    _set_precision("highest")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch, "set_float32_matmul_precision", lambda _: None)
        yield
    _set_precision(before)


@pytest.fixture
def tf32(_full_precision):
    """Products of a GPU in TensorFloat32, as every command has them there."""
    _set_precision("high")


def pytest_terminal_summary(terminalreporter):
    """The comparisons that came closest; of another device with PARITY_OF=rounded."""
    device = os.environ.get("PARITY_OF", "cuda")
    found = [(error / bound, name, error) for name, error, bound in MEASURED if device in name]
    if not found:
        return
    terminalreporter.write_sep("-", f"CPU against {device}: error, and as a share of the tolerance")
    for share, name, error in sorted(found, reverse=True)[:15]:
        terminalreporter.write_line(f"{error:.1e} {share:5.0%}  {name.split(' ')[0]}")
