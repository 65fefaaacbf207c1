"""Planning latency per decision of 19 agents, beside the published recipe and a plain planner.

    python -m benchmarks.speed.planning --threads 2
    python -m benchmarks.speed.planning --model runs/rb --env rb-v0 --curve

The first table has one network in three planners, in alternating rounds of one run: the published
planner's U-Net (horizon 32, 64 channels, four levels of two blocks, 4 M weights), random weights.

* published recipe: Conv1d, GroupNorm and Mish in (batch, channel, time) layout; a return model with
  a down path of its own; 20 DDPM steps with two gradient steps each, through weights that require
  gradients.
* plain 20 steps: our network, 20 DDPM steps, one gradient each, denoiser and return model called
  one after the other.
* ours: 5 guided steps; as shipped; unsteered; warm-started from the last plan; best of 8.

Further tables: one decision of every preset; cost per agent in a batch of 1,000 against one of 19;
few agents with the unrolled network that is shipped for them against the model layer by layer; and,
with a trained model, latency against return by number of denoising steps.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.records import write_figures
from benchmarks.speed.training import PlainUNet
from networld_agent.config import PRESETS
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.evaluation.seeds import VALIDATION_SEEDS, group_seeds
from networld_agent.model import ActionSpec, TaskSpec, WorldModel, WorldModelConfig
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.planning.samplers import sample, sampler_steps, trailing_levels
from networld_agent.worlds.make import make_worlds
from wirelessenvs.checks import check_int
from wirelessenvs.command import check_targets, run
from wirelessenvs.machine import machine_lines

NUM_AGENTS = 19
PUBLISHED = WorldModelConfig(horizon=32, latent_size=32, blocks_per_level=2)
TASK = TaskSpec("bench-v0", 0, 30, ActionSpec("discrete", sizes=(11,)), guidance_scale=0.1)


def fresh_model(config: WorldModelConfig) -> WorldModel:
    """Random weights, with heads that are not zero: the time does not depend on them."""
    torch.manual_seed(0)
    model = WorldModel(config, [TASK])
    for module in (*model.inverses.values(), model.classifier):
        nn.init.normal_(module.head.weight, std=0.01)  # type: ignore[arg-type, union-attr]
    return model.eval()


# ------------------------------------------------------------------ the published recipe
class PublishedPlanner:
    """Two networks in (batch, channel, time) layout, 20 steps, two gradients per step.

    It plans from latents; encoding and decoding are left out, to its advantage.
    """

    def __init__(self, model: WorldModel, scale: float = 0.1, gradient_steps: int = 2) -> None:
        self.denoiser = PlainUNet(model.unet)
        self.value = PlainUNet(model.unet)
        self.value_head = copy.deepcopy(model.classifier.head)
        self.conditioning = copy.deepcopy(model.conditioning).requires_grad_(True)
        for network in (self.denoiser, self.value, self.value_head):
            network.requires_grad_(True)
        self.schedule, self.scale, self.gradient_steps = model.schedule, scale, gradient_steps

    def values(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return `(B,)` of noisy plans `(B, C, H)`: the down path, a mean over time, one layer."""
        for level, blocks in enumerate(self.value.down):
            if level:
                x = self.value.downsample[level - 1](x)
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, condition)
        values: Tensor = self.value_head(x.mean(2)).mean(1)
        return values

    def plan(self, present: Tensor) -> Tensor:
        """Plans `(B, C, H)` from the present `(B, C)`."""
        schedule, horizon = self.schedule, PUBLISHED.horizon
        x = torch.randn(len(present), present.shape[1], horizon)
        x[:, :, 0] = present
        task = torch.zeros(len(present), dtype=torch.long)
        before = torch.cat([torch.ones(1), schedule.alpha_bar[:-1]])
        for level in reversed(range(schedule.num_steps)):
            tau = torch.full_like(task, level)
            variance = schedule.posterior_variance[level]
            for _ in range(self.gradient_steps):
                with torch.enable_grad():
                    x.requires_grad_()
                    values = self.values(x, self.conditioning(tau, task))
                    gradient = torch.autograd.grad(values.sum(), x)[0]
                x = x.detach() + self.scale * variance * gradient
                x[:, :, 0] = present
            with torch.no_grad():
                x0 = self.denoiser(x, self.conditioning(tau, task))
                beta, now, last = schedule.betas[level], schedule.alpha_bar[level], before[level]
                mean = last.sqrt() * beta / (1 - now) * x0
                mean = mean + (1 - beta).sqrt() * (1 - last) / (1 - now) * x
                x = mean + (variance.sqrt() * torch.randn_like(x) if level else 0)
                x[:, :, 0] = present
        return x


class PlainPlanner:
    """Our network with none of the planner's shortcuts: 20 DDPM steps, every one guided."""

    def __init__(self, model: WorldModel, scale: float = 0.1) -> None:
        self.model, self.scale = model, scale
        levels = trailing_levels(model.schedule.num_steps, model.schedule.num_steps)
        self.steps = sampler_steps("ddpm", model.schedule.alpha_bar, levels)

    def act(self, observations: Tensor, weights: Tensor) -> Tensor:
        """Actions `(B,)` of agents `(B, d)` who hear each other by `weights` `(B, B)`."""
        model, size = self.model, self.model.config.latent_size
        with torch.no_grad():
            z = model.encode(TASK.name, observations)
            present = torch.cat([z, weights @ z], 1)
        task = torch.zeros(len(z), dtype=torch.long)

        def clamp(x: Tensor) -> Tensor:
            x = x.clone()
            x[:, 0] = present
            return x

        def denoise(x: Tensor, step: Any) -> Tensor:
            tau = torch.full_like(task, step.level)
            with torch.enable_grad():
                free = x.detach().requires_grad_()
                value = model.predicted_return(free, tau, task).sum()
                gradient = torch.autograd.grad(value, free)[0]
            with torch.no_grad():
                x0 = model.denoise(x, tau, task)
            rest = 1 - model.schedule.alpha_bar[step.level]
            size = gradient.square().mean((1, 2), keepdim=True).sqrt()
            return x0 + self.scale * rest * gradient / size.clamp_min(1e-20)

        shape = (len(z), model.config.horizon, 2 * size)
        with torch.no_grad():
            plan = sample(
                self.steps, torch.randn(shape), denoise, lambda _: torch.randn(shape), clamp
            )
            return model.decode_actions(TASK.name, z, plan[:, 1, :size])


# ------------------------------------------------------------------------------ timing
def ring(size: int) -> np.ndarray:
    """Adjacency `(N, N)` of agents on a ring, two neighbours each."""
    eye = np.eye(size, dtype=bool)
    return np.asarray((np.roll(eye, 1, 1) | np.roll(eye, -1, 1)) & ~eye)


def decide(planner: Planner, num_agents: int) -> Callable[[], object]:
    """One decision of that many agents, new observations every time."""
    rng, graph = np.random.default_rng(0), ring(num_agents)

    def work() -> object:
        return planner.act(rng.normal(size=(num_agents, TASK.observation_size)), graph)

    return work


def alternate(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each, in alternating rounds after one to warm up.

    Processor time is what a decision costs on a busy host with one thread; with several threads it
    counts their waiting for each other too.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for round_ in range(rounds + 1):
        for name, work in works.items():
            start, cpu = time.perf_counter(), time.process_time()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_:
                spent = time.perf_counter() - start, time.process_time() - cpu
                times[name].append((1e3 * spent[0], 1e3 * spent[1]))
    return {
        name: {
            "median_ms": statistics.median(wall for wall, _ in values),
            "least_ms": min(wall for wall, _ in values),
            "cpu_ms": statistics.median(cpu for _, cpu in values),
        }
        for name, values in times.items()
    }


def side_by_side(rounds: int) -> dict[str, dict[str, float]]:
    """The published recipe, the plain planner, and ours in several settings."""
    model = fresh_model(PUBLISHED)
    published = PublishedPlanner(model)
    model.requires_grad_(False)
    plain = PlainPlanner(model)
    weights = torch.from_numpy(ring(NUM_AGENTS) / 2).float()
    latents = torch.randn(NUM_AGENTS, 2 * PUBLISHED.latent_size)
    settings = {
        "ours, 5 guided steps": PlannerConfig(steps=5, unguided_steps=0),
        "ours as shipped, 3 steps, 2 guided": PlannerConfig(),
        "ours, warm start, 2 of 5 steps": PlannerConfig(steps=5, unguided_steps=0, warm_start=2),
        "ours, 5 unsteered steps": PlannerConfig(steps=5, plan_mode="none"),
        "ours, best of 8, 5 steps": PlannerConfig(steps=5, plan_mode="select", candidates=8),
    }
    works: dict[str, Callable[[], object]] = {
        "published recipe, 20 steps": lambda: published.plan(latents),
        "plain, 20 guided steps": lambda: plain.act(
            torch.randn(NUM_AGENTS, TASK.observation_size), weights
        ),
    }
    for name, config in settings.items():
        works[name] = decide(Planner(model, config=config), NUM_AGENTS)
    return alternate(works, rounds)


def presets(names: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """One guided decision with the network of every preset."""
    works = {}
    for name in names:
        model = fresh_model(PRESETS[name].model).requires_grad_(False)
        weights = sum(weight.numel() for weight in model.unet.parameters()) / 1e6
        works[f"{name} ({weights:.2f} M)"] = decide(Planner(model), NUM_AGENTS)
    return alternate(works, rounds)


def batching(rounds: int) -> dict[str, dict[str, float]]:
    """The demo network for 19 and for 1,000 agents in one batch."""
    model = fresh_model(PRESETS["demo"].model).requires_grad_(False)
    sizes = (1, NUM_AGENTS, 1000)
    found = alternate({f"{size} agents": decide(Planner(model), size) for size in sizes}, rounds)
    for size, row in zip(sizes, found.values(), strict=True):
        row["median_ms_per_agent"] = row["median_ms"] / size
        row["cpu_ms_per_agent"] = row["cpu_ms"] / size
    return found


def unrolled(rounds: int) -> dict[str, dict[str, float]]:
    """Decisions of preset demo at equal steps: layer by layer, and as few agents have them."""
    model = fresh_model(PRESETS["demo"].model).requires_grad_(False)
    found = {}
    for agents in (8, NUM_AGENTS, 190, 1000):
        layered, shipped = (Planner(model, config=PlannerConfig(steps=3)) for _ in range(2))
        # No number of rows is few.
        layered.generator._networks._most_rows = 0
        works = {"layers": decide(layered, agents), "shipped": decide(shipped, agents)}
        times = alternate(works, rounds)
        found[f"{agents} agents"] = {
            "layers_ms": times["layers"]["median_ms"],
            "shipped_ms": times["shipped"]["median_ms"],
            "ratio": times["layers"]["median_ms"] / times["shipped"]["median_ms"],
        }
    return found


def curve(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Reward and latency of a trained model by sampler and number of steps."""
    seeds = group_seeds(VALIDATION_SEEDS, None, 1, options.episodes)
    worlds = make_worlds(options.env, len(seeds), options.steps + 5, options.preset, {})
    found: dict[str, dict[str, Any]] = {}
    for sampler in options.samplers:
        for steps in options.denoising:
            config = PlannerConfig(sampler=sampler, steps=steps, unguided_steps=min(1, steps - 1))
            planner = Planner.load(options.model, worlds.task, config, "cpu")
            played = play(worlds, PlannerPlayer(planner), seeds, options.steps)
            found[f"{sampler}, {steps} steps"] = {
                "reward": float(played.rewards.mean()),
                "interval": bootstrap_interval(played.rewards),
                "batch_ms": 1e3 * played.seconds_per_step,
            }
    return found


def show(title: str, rows: dict[str, dict[str, Any]], reference: str | None = None) -> None:
    """Prints a table; with a reference, how many times faster than it each row is."""
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n")
    print(f"| | {' | '.join(columns)} |" + (" speed-up |" if reference else ""))
    print("|---|" + "---|" * (len(columns) + bool(reference)))
    for name, row in rows.items():
        cells = [
            f"[{value[0]:.4g}, {value[1]:.4g}]" if isinstance(value, tuple) else f"{value:.4g}"
            for value in row.values()
        ]
        if reference:
            cells.append(f"{rows[reference]['median_ms'] / row['median_ms']:.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _benchmark(options: argparse.Namespace) -> None:
    check_int("--rounds", options.rounds, 1)
    check_targets(options.json)
    torch.set_num_threads(check_int("--threads", options.threads, 1, 256))
    machine = [*machine_lines(("torch", "numpy")), f"{options.threads} threads of torch"]
    print("\n".join(machine))
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    if options.curve:
        if options.model is None or options.env is None:
            raise ValueError("--curve needs --model and --env.")
        tables["curve"] = curve(options)
        show(f"{options.env}, {options.episodes} episodes at once", tables["curve"])
    else:
        tables["side_by_side"] = side_by_side(options.rounds)
        show(
            f"{NUM_AGENTS} agents, horizon 32, 4 M weights, one decision",
            tables["side_by_side"],
            "published recipe, 20 steps",
        )
        tables["presets"] = presets(options.presets, options.rounds)
        show(f"{NUM_AGENTS} agents, guided planner as shipped", tables["presets"])
        tables["batching"] = batching(options.rounds)
        show("preset demo, agents in one batch", tables["batching"])
        tables["unrolled"] = unrolled(options.rounds)
        show("preset demo, 3 steps: layer by layer, and as shipped", tables["unrolled"])
    if options.json is not None:
        write_figures(
            options.json,
            ["python -m benchmarks.speed.planning", *options.arguments],
            machine,
            {"planner": dataclasses.asdict(PlannerConfig()), "tables": tables},
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.planning",
        description="Planning latency beside plain planners.",
    )
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    parser.add_argument("--rounds", type=int, default=15, help="(default: 15)")
    parser.add_argument(
        "--presets", nargs="+", choices=tuple(PRESETS), default=["smoke", "demo", "cpu"],
        help="networks of the second table",
    )  # fmt: skip
    parser.add_argument("--curve", action="store_true", help="latency against return instead")
    parser.add_argument("--model", type=Path, help="trained model for --curve")
    parser.add_argument("--env", help="its environment")
    parser.add_argument("--preset", help="of the environment")
    parser.add_argument("--episodes", type=int, default=16, help="of --curve (default: 16)")
    parser.add_argument("--steps", type=int, default=200, help="of --curve (default: 200)")
    parser.add_argument("--denoising", type=int, nargs="+", default=[1, 2, 3, 5, 10, 20])
    parser.add_argument("--samplers", nargs="+", default=["ddim", "dpm"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run(_benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
