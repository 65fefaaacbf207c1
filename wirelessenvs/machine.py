"""The machine that a measurement was made on, to print above its table."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["cpu_name", "machine_lines"]


def cpu_name() -> str:
    """Model name of the processor."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine_lines(
    packages: tuple[str, ...] = ("wirelessenvs", "numpy", "numba", "gymnasium", "pettingzoo"),
) -> list[str]:
    """Processor, cores, thread settings, Python and package versions, as lines to print."""
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} (not installed)")
    threads = ", ".join(
        f"{name}={os.environ.get(name, 'unset')}"
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    )
    return [
        f"{cpu_name()}, {os.cpu_count()} cores, {threads}",
        f"Python {platform.python_version()}, {', '.join(versions)}",
    ]
