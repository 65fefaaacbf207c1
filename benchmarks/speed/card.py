"""The device that is measured, and the versions that drive it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import torch

from networld_agent.training.run_folder import git_revision
from wirelessenvs.machine import cpu_name, machine_lines

__all__ = ["describe_machine"]


def describe_machine(device: str) -> dict[str, Any]:
    """Card, driver, CUDA, versions and git revision, as JSON values."""
    about: dict[str, Any] = {"card": cpu_name()}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        about = {
            "card": torch.cuda.get_device_name(0),
            "memory_gb": properties.total_memory / 1e9,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "driver": _answer(
                ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
            ),
        }
    return {
        **about,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": machine_lines(("torch", "numpy", "numba", "triton")),
        "git_revision": git_revision(),
    }


def _answer(command: list[str]) -> str | None:
    """The first line that a program prints; None if it is not there or fails."""
    try:
        answer = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip().partition("\n")[0] or None
