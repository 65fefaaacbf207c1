"""How much work a piece of PyTorch code is: multiplications in products, and operations called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["CORE", "EAGER", "RECORDED", "Machine", "Operations", "count_operations"]


@dataclass(frozen=True)
class Operations:
    """Number of operations of one call.

    Args:
        flops: multiplications and additions in matrix products and convolutions.
        calls: of operations that compute, views left out.
    """

    flops: float
    calls: float


@dataclass(frozen=True)
class Machine:
    """Assumed speeds, to estimate from counts what has not been measured.

    Args:
        flops_per_s: that products of these sizes reach.
        call_s: seconds that an operation takes at least.
    """

    flops_per_s: float
    call_s: float

    def seconds(self, work: Operations) -> float:
        """Whichever binds: products, or the operations one after the other."""
        return max(work.flops / self.flops_per_s, work.calls * self.call_s)


#: An H100 that repeats a recording: an eighth of what large bf16 products reach, and the time of a
#: small kernel.
RECORDED: Final = Machine(1e14, 4e-6)
#: The same, each operation launched from Python: what the 1,583 of a training step of preset
#: `paper` took in the first look at one (benchmarks/results/gpu/first-look.json, 73.7 ms).
EAGER: Final = Machine(3e13, 4.5e-5)
#: A core of a CPU.
CORE: Final = Machine(3e10, 1e-5)


class _Calls(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not getattr(func, "is_view", False):
            self.number += 1
        return func(*args, **(kwargs or {}))


def count_operations(work: Callable[[], object]) -> Operations:
    """The operations of a call, which is made once.

    Example:
        >>> import torch
        >>> matrix = torch.ones(10, 10)
        >>> count_operations(lambda: (matrix @ matrix).view(-1) + 1)
        Operations(flops=2000, calls=2)
    """
    counter = FlopCounterMode(display=False)
    with counter, _Calls() as calls:
        work()
    return Operations(counter.get_total_flops(), calls.number)
