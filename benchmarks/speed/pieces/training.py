"""Training steps per second, as trained and in other ways, beside a plain implementation.

Three tasks at once, 5,000 steps per episode, the batch of the preset, data in the memory of the
device: what pre-training does between two lines of its log. "fp32" are exact float32 products,
"tf32" those that the card rounds; "graph" repeats a recorded step, "compiled" is torch.compile.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import torch

from benchmarks.experiment.costs.operations import count_operations
from benchmarks.speed.clocks import (
    event_seconds,
    full_precision,
    latency,
    peak_memory,
    synchronize,
)
from benchmarks.speed.data import random_batches
from benchmarks.speed.kernels import profile
from benchmarks.speed.models import fresh_model
from benchmarks.speed.piece import Row, Setting
from benchmarks.speed.plain_model import PlainStep, PlainWorldModel
from networld_agent.config import PRESETS
from networld_agent.cuda_graph import CudaGraphs, GraphBackend
from networld_agent.model.world_model import WorldModel
from networld_agent.training.batches import BatchSampler
from networld_agent.training.capture import Capture
from networld_agent.training.config import TrainingConfig
from networld_agent.training.ema import AveragedModel
from networld_agent.training.feeds import open_feed
from networld_agent.training.precision import computes_in_half
from networld_agent.training.step import TrainingStep

__all__ = ["rows", "sampler_of"]

#: Of each task's data; fewer steps where all is to be quick.
_EPISODES, _STEPS, _QUICK_STEPS = 4, 5_000, 100
#: Before the clock starts: a step is recorded at the fourth call.
_WARM_UPS: Final = 6


@dataclass(frozen=True)
class Variant:
    """A way to train.

    Args:
        name: of its row.
        precision: "fp32", "tf32" or "bf16"; the ceiling that it is held against.
        plain: the plain implementation.
        graph: whether the step is recorded and repeated.
        compiled: whether the loss is compiled.
        seconds: that the row takes on an H100.
    """

    name: str
    precision: str
    plain: bool = False
    graph: bool = False
    compiled: bool = False
    seconds: float = 10

    @property
    def for_cpu(self) -> bool:
        """Whether it is measured on a CPU, too."""
        return not (self.graph or self.compiled or self.precision == "bf16")


VARIANTS: Final = (
    Variant("plain fp32", "fp32", plain=True),
    Variant("plain tf32", "tf32", plain=True),
    # Triton's kernels are compiled at first use, for each type of numbers.
    Variant("eager fp32", "fp32", seconds=45),
    Variant("eager tf32", "tf32"),
    Variant("eager bf16", "bf16", seconds=35),
    Variant("graph fp32", "fp32", graph=True),
    Variant("graph tf32", "tf32", graph=True),
    Variant("graph bf16", "bf16", graph=True),
    Variant("compiled bf16", "bf16", compiled=True, seconds=120),
    Variant("compiled graph bf16", "bf16", graph=True, compiled=True, seconds=60),
)


def rows(setting: Setting) -> Sequence[Row]:
    """One per variant."""
    return [
        Row(
            variant.name,
            2 if setting.quick else variant.seconds,
            partial(measure, setting, variant),
        )
        for variant in VARIANTS
        if setting.device != "cpu" or variant.for_cpu
    ]


def sampler_of(preset: str, quick: bool = False) -> BatchSampler:
    """Batches of a preset's pre-training, on random data of all three tasks."""
    steps = _QUICK_STEPS if quick else _STEPS
    config = PRESETS[preset]
    return random_batches(config.model, config.training.batch_size, _EPISODES, steps)


def measure(
    setting: Setting, variant: Variant, graphs: GraphBackend | None = None
) -> dict[str, Any]:
    """Figures of a variant.

    Args:
        setting: device and preset.
        variant: to train in.
        graphs: records steps; CUDA's by default.
    """
    device = setting.device
    work = _plain_steps if variant.plain else _our_steps
    backend = (graphs or CudaGraphs(torch.device(device))) if variant.graph else None
    seconds = 0.3 if setting.quick else 3.0
    with full_precision(variant.precision == "fp32"), peak_memory(device) as memory:
        begun = time.perf_counter()
        with work(setting, variant, backend) as step:
            for _ in range(_WARM_UPS):
                step()
            synchronize(device)
            warm_up = time.perf_counter() - begun
            figures = _timed(step, device, seconds)
            looked_at = profile(step, 1 if setting.quick else 5, device)
    operations = _operations(setting, variant.plain)
    busy = looked_at["busy_ms"]
    return {
        "warmup_s": warm_up,
        **figures,
        **looked_at,
        "busy_share": None if busy is None else busy * figures["steps_per_s"] / 1e3,
        "operations_per_step": operations,
        "tflops": operations * figures["steps_per_s"] / 1e12,
        "ceiling": variant.precision,
        **memory,
    }


def _timed(step: Callable[[], object], device: str, seconds: float) -> dict[str, Any]:
    # From an idle device until the call returns, and until the device has finished.
    host = []
    for _ in range(10):
        synchronize(device)
        start = time.perf_counter()
        step()
        host.append(1e3 * (time.perf_counter() - start))
    single = latency(step, device, seconds / 6, least=5)["median_ms"]
    count = max(3, int(1e3 * seconds / single))

    def several() -> None:
        for _ in range(count):
            step()

    start = time.perf_counter()
    (on_device,) = event_seconds(several, 1, device)
    synchronize(device)
    total = time.perf_counter() - start
    return {
        "steps_per_s": count / total,
        "steps": count,
        "host_ms": sorted(host)[len(host) // 2],
        "device_ms": 1e3 * on_device / count,
    }


@contextmanager
def _our_steps(
    setting: Setting, variant: Variant, graphs: GraphBackend | None
) -> Iterator[Callable[[], object]]:
    """A step as `networld_agent.training.trainer` does it between two lines of the log."""
    device = torch.device(setting.device)
    config = _config(setting, variant)
    half = computes_in_half(config.precision, device)
    model = fresh_model(setting.preset, setting.device).train()
    recordable = device.type == "cuda" or graphs is not None
    step = TrainingStep(
        model, AveragedModel(model, config.ema_decay), config, half, recordable=recordable
    )
    done = 0
    with open_feed(sampler_of(setting.preset, setting.quick), device, config.data) as feed:
        update = Capture(
            lambda: step(feed.batch(step.step), None if recordable else done), "training", graphs
        )

        def whole() -> None:
            nonlocal done
            feed.prepare(done)
            update()
            done += 1

        yield whole
        if graphs is not None and not update.recorded:
            raise RuntimeError("the step was not recorded: the reason is printed above.")
        seen = step.read()
        if seen.bad_step is not None:
            raise RuntimeError(f"the loss is not finite at step {seen.bad_step}: {seen.bad_losses}")


@contextmanager
def _plain_steps(
    setting: Setting,
    variant: Variant,
    graphs: GraphBackend | None,  # noqa: ARG001
) -> Iterator[Callable[[], object]]:
    model = PlainWorldModel(fresh_model(setting.preset)).to(setting.device).train()
    sampler = sampler_of(setting.preset, setting.quick)
    batches = [sampler(step).to(torch.device(setting.device)) for step in range(3)]
    yield PlainStep(model, batches, _config(setting, variant))


def _config(setting: Setting, variant: Variant) -> TrainingConfig:
    return dataclasses.replace(
        PRESETS[setting.preset].training,
        steps=200_000,  # more than are timed: rates are looked up by step
        precision="bf16" if variant.precision == "bf16" else "fp32",
        compile=variant.compiled,
        graph=variant.graph,
        data="device",
    )


@cache
def _operations(setting: Setting, plain: bool) -> int:
    """Multiplications and additions of one forward and backward pass, in matrix products."""
    model: WorldModel = fresh_model(setting.preset)
    model = (PlainWorldModel(model) if plain else model).to(setting.device).train()
    batch = sampler_of(setting.preset, setting.quick)(0).to(torch.device(setting.device))
    return int(count_operations(lambda: model.loss(batch)["loss"].backward()).flops)
