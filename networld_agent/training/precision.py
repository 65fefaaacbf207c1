"""In which numbers the network computes."""

from __future__ import annotations

import torch

__all__ = ["computes_in_half"]


def computes_in_half(precision: str, device: torch.device) -> bool:
    """Whether a precision, "fp32", "bf16" or "auto", means bfloat16 on a device.

    Raises:
        ValueError: for "bf16" on a device that cannot.
    """
    if device.type != "cuda":
        if precision == "bf16":
            raise ValueError("precision bf16 needs a CUDA device; use fp32 on a CPU.")
        return False
    able = torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not able:
        raise ValueError(
            f"{torch.cuda.get_device_name(device)} does not compute in bf16: use precision fp32."
        )
    return able and precision != "fp32"
