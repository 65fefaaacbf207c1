"""Training steps per second of the U-Net beside the same network written plainly, in one run.

    python benchmarks/speed/training.py --threads 2

Both networks are the published planner's: horizon 32, 64 channels, four levels of two blocks,
4 M weights, and hold the same weights, so that their outputs are equal (checked first, and the
gradients too). One step draws noise, denoises, takes the mean squared error, its gradient, one step
of Adam and one of the moving average. The plain one is written as published planners are: Conv1d,
GroupNorm and Mish in (batch, channel, time) layout, Adam's default, a Python loop for the average.
Rounds of the two alternate, so that a busy host slows both; the table shows medians.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from networld_agent.model.config import WorldModelConfig
from networld_agent.model.diffusion import Schedule
from networld_agent.model.temporal_unet import Conditioning, ResidualBlock, TemporalUNet
from wirelessenvs.checks import check_int
from wirelessenvs.command import check_targets, run
from wirelessenvs.machine import machine_lines

CONFIG = WorldModelConfig(horizon=32, latent_size=32, blocks_per_level=2)


# ------------------------------------------------------------------ the plain network
class PlainBlock(nn.Module):
    """A residual block in (batch, channel, time) layout."""

    def __init__(self, channels_in: int, channels_out: int, condition_size: int) -> None:
        super().__init__()

        def convolution(channels: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv1d(channels, channels_out, 5, padding=2),
                nn.GroupNorm(8, channels_out),
                nn.Mish(),
            )

        self.first, self.second = convolution(channels_in), convolution(channels_out)
        self.condition = nn.Linear(condition_size, channels_out)
        self.shortcut = (
            nn.Conv1d(channels_in, channels_out, 1)
            if channels_in != channels_out
            else nn.Identity()
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(B, Cin, T)` to `(B, Cout, T)`."""
        h = self.first(x) + self.condition(condition)[:, :, None]
        out: Tensor = self.second(h) + self.shortcut(x)
        return out


class PlainUNet(nn.Module):
    """The same U-Net in (batch, channel, time) layout, with the weights of ours."""

    def __init__(self, ours: TemporalUNet) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.ModuleList(plain_block(block) for block in level)  # type: ignore[union-attr]
            for level in ours.down.levels
        )
        self.middle = nn.ModuleList(plain_block(block) for block in ours.middle)
        self.up = nn.ModuleList(
            nn.ModuleList(plain_block(block) for block in level)  # type: ignore[union-attr]
            for level in ours.levels
        )
        self.downsample, self.upsample = nn.ModuleList(), nn.ModuleList()
        for layer in ours.down.downs:
            weight: Any = layer.linear.weight
            channels = weight.shape[0]
            strided = nn.Conv1d(channels, channels, 3, 2, 1)
            strided.weight.data = weight.data.view(channels, 3, channels).permute(0, 2, 1).clone()
            strided.bias.data = layer.linear.bias.data.clone()  # type: ignore[union-attr]
            self.downsample.append(strided)
        for layer in ours.ups:
            weight = layer.linear.weight
            channels = weight.shape[1] // 2
            transposed = nn.ConvTranspose1d(channels, channels, 4, 2, 1)
            blocks = weight.data.view(2, channels, 2, channels)
            for tap, (parity, neighbour) in enumerate([(1, 1), (0, 1), (1, 0), (0, 0)]):
                transposed.weight.data[:, :, tap] = blocks[parity, :, neighbour].T
            transposed.bias.data = layer.bias.data.clone()  # type: ignore[union-attr]
            self.upsample.append(transposed)
        width, channels = ours.out.in_features, ours.out.out_features
        self.last = nn.Sequential(
            nn.Conv1d(width, width, 5, padding=2),
            nn.GroupNorm(8, width),
            nn.Mish(),
            nn.Conv1d(width, channels, 1),
        )
        copy_convolution(ours.last, ours.last_norm, self.last)
        last: Any = self.last[3]
        last.weight.data = ours.out.weight.data[:, :, None].clone()
        last.bias.data = ours.out.bias.data.clone()

    def features(self, x: Tensor, condition: Tensor) -> list[Tensor]:
        """What every level passes on, fine first, `(B, C, T)`, of `(B, channels, H)`."""
        skips = []
        for level, blocks in enumerate(self.down):
            if level:
                x = self.downsample[level - 1](x)
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, condition)
            skips.append(x)
        return skips

    def output(self, skips: list[Tensor], condition: Tensor) -> Tensor:
        """The way up, `(B, channels, H)`, from `features`."""
        x = skips[-1]
        for block in self.middle:
            x = block(x, condition)
        for blocks, upsample, skip in zip(self.up, self.upsample, skips[:0:-1], strict=True):
            x = torch.cat([x, skip], 1)
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, condition)
            x = upsample(x)
        out: Tensor = self.last(x)
        return out

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(B, channels, H)` to the same shape."""
        return self.output(self.features(x, condition), condition)


def copy_convolution(conv: Any, norm: Any, target: Any) -> None:
    """Copies our convolution and normalisation into a plain sequence of them."""
    target[0].weight.data = conv.weight.data.permute(2, 1, 0).clone()
    target[0].bias.data = conv.bias.data.clone()
    target[1].weight.data, target[1].bias.data = norm.gain.data.clone(), norm.bias.data.clone()


def plain_block(ours: Any) -> PlainBlock:
    """A plain block with the weights of one of ours."""
    assert isinstance(ours, ResidualBlock)
    first = ours.first.weight.shape
    block = PlainBlock(first[1], first[2], ours.condition.in_features)
    copy_convolution(ours.first, ours.first_norm, block.first)
    copy_convolution(ours.second, ours.second_norm, block.second)
    block.condition.load_state_dict(ours.condition.state_dict())
    if isinstance(ours.shortcut, nn.Linear):
        shortcut: Any = block.shortcut
        shortcut.weight.data = ours.shortcut.weight.data[:, :, None].clone()
        shortcut.bias.data = ours.shortcut.bias.data.clone()
    return block


# ------------------------------------------------------------------------- one step
class Step:
    """A training step in three timed parts: network, Adam, moving average."""

    def __init__(self, unet: nn.Module, conditioning: Conditioning, quick: bool) -> None:
        self.unet, self.conditioning, self.quick = unet, conditioning, quick
        self.schedule = Schedule(CONFIG.diffusion_steps)
        self.weights = [*unet.parameters(), *conditioning.parameters()]
        self.averages = [weight.detach().clone() for weight in self.weights]
        self.adam = torch.optim.Adam(self.weights, 2e-4, **({"fused": True} if quick else {}))

    def network(self, x0: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
        """Loss of a batch `(B, H, C)`, with its gradients."""
        self.adam.zero_grad(set_to_none=True)
        x = self.schedule.noisy(x0, tau, noise)
        condition = self.conditioning(tau, torch.zeros_like(tau))
        if self.quick:
            output = self.unet(x.transpose(0, 1), condition).transpose(0, 1)
        else:
            output = self.unet(x.transpose(1, 2), condition).transpose(1, 2)
        loss = (output - x0).square().mean()
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def average(self) -> None:
        """One update of the moving average."""
        if self.quick:
            torch._foreach_lerp_(self.averages, [w.data for w in self.weights], 0.005)
            return
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.data = 0.995 * average + 0.005 * weight.data


def batches(size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The same random batches at every call."""
    generator = torch.Generator().manual_seed(0)
    shape = (size, CONFIG.horizon, 2 * CONFIG.latent_size)
    while True:
        x0, noise = (torch.randn(shape, generator=generator) for _ in range(2))
        yield x0, noise, torch.randint(CONFIG.diffusion_steps, (size,), generator=generator)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def make_steps() -> tuple[Step, Step]:
    """Plain and quick steps with equal weights."""
    torch.manual_seed(0)
    ours = TemporalUNet(2 * CONFIG.latent_size, CONFIG)
    conditioning = Conditioning(CONFIG.embedding_size, 1)
    plain = PlainUNet(ours)
    return Step(plain, copy.deepcopy(conditioning), False), Step(ours, conditioning, True)


def check_equal(plain: Step, quick: Step) -> float:
    """Greatest difference of loss and of the gradient of the last layer, relative."""
    batch = next(batches(8))
    losses = [step.network(*batch).item() for step in (plain, quick)]
    gradients: list[Any] = [plain.unet.last[3].weight.grad, quick.unet.out.weight.grad]  # type: ignore
    difference = (gradients[0][:, :, 0] - gradients[1]).norm() / gradients[1].norm()
    return max(abs(losses[0] / losses[1] - 1), float(difference))


def measure(batch_size: int, rounds: int) -> dict[str, Any]:
    """Medians in milliseconds of the parts of both steps."""
    steps = dict(zip(("plain", "quick"), make_steps(), strict=True))
    times: dict[str, dict[str, list[float]]] = {
        kind: {"network": [], "adam": [], "average": []} for kind in steps
    }
    stream = batches(batch_size)
    for round_ in range(rounds + 2):
        batch = next(stream)
        for kind, step in steps.items():
            parts = {
                "network": timed(lambda step=step, batch=batch: step.network(*batch)),  # type: ignore
                "adam": timed(step.adam.step),
                "average": timed(step.average),
            }
            if round_ >= 2:  # the first ones allocate
                for name, value in parts.items():
                    times[kind][name].append(value)
    result: dict[str, Any] = {"batch": batch_size}
    for kind, parts in times.items():
        medians = {name: statistics.median(values) for name, values in parts.items()}
        totals = [sum(values) for values in zip(*parts.values(), strict=True)]
        result[kind] = {**medians, "total": statistics.median(totals)}
    result["speedup"] = result["plain"]["total"] / result["quick"]["total"]
    return result


def _benchmark(options: argparse.Namespace) -> None:
    check_int("--rounds", options.rounds, 3)
    check_targets(options.json)
    torch.set_num_threads(check_int("--threads", options.threads, 1, 256))
    for line in machine_lines(("torch", "numpy")):
        print(line)
    print(f"{options.threads} threads; {options.rounds} rounds, medians in ms")
    weights = sum(weight.numel() for weight in make_steps()[1].weights)
    difference = check_equal(*make_steps())
    print(f"{weights / 1e6:.2f} M weights; both networks agree to {difference:.0e}\n")
    if difference > 1e-3:
        raise ValueError("the two networks differ: the comparison would be meaningless.")
    print(
        f"{'batch':>6} {'':>6} {'network':>9} {'Adam':>7} {'average':>8} {'step':>8} {'steps/s':>8}"
    )
    results = []
    for size in options.batch:
        result = measure(check_int("--batch", size, 1), options.rounds)
        for kind in ("plain", "quick"):
            row = result[kind]
            print(
                f"{size:>6} {kind:>6} {row['network']:>9.1f} {row['adam']:>7.1f} "
                f"{row['average']:>8.1f} {row['total']:>8.1f} {1e3 / row['total']:>8.1f}"
            )
        print(f"{'':>6} {result['speedup']:.2f} times as many steps per second\n", flush=True)
        results.append(result)
    if options.json is not None:
        document = {
            "command": "python benchmarks/speed/training.py " + " ".join(sys.argv[1:]),
            "machine": machine_lines(("torch", "numpy")),
            "threads": options.threads,
            "results": results,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Training speed beside a plain network.")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256], help="sizes to measure")
    parser.add_argument("--rounds", type=int, default=15, help="per size (default: 15)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return run(_benchmark, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
