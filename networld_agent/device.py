"""The device that a command computes on."""

from __future__ import annotations

import os

import torch

__all__ = ["pick_device"]


def pick_device(name: str, tf32: bool = True) -> torch.device:
    """The device of a `--device` option; "auto" is CUDA where there is one.

    Of several processes of `torchrun` each takes the GPU of its own number.

    Args:
        name: auto, cpu, cuda or cuda:NUMBER.
        tf32: whether float32 products of this process may be rounded to TF32 on a GPU from now on.

    Raises:
        ValueError: if it does not exist.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {name!r} cannot be used: it is auto, cpu, cuda or cuda:NUMBER.")
    if device.type == "cpu":
        return device
    if device.index is None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        found = torch.cuda.device_count()
        cards = f"{found} GPU" + ("s" if found != 1 else "") if found else "no GPU"
        raise ValueError(
            f"--device {str(device)!r} cannot be used on this machine: torch finds {cards}."
        ) from None
    if tf32:
        torch.set_float32_matmul_precision("high")
    return device
