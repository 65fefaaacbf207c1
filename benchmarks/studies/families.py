"""One model for networks that it has never seen: the comparison over families of deployments.

    python -m benchmarks.studies.families --family rb --seeds 0 1 2 --out runs/families \
        --pieces benchmarks/results/families --png docs/images/families-rb.png

Every method is trained on the same deployments of `train`, then plays deployments of `test` and of
every `beyond-...` split, none of which it has seen, all on the same seeds. With `--few-shot`, a
NetWorld model is also adapted on data of each test deployment, pre-trained and from scratch. A
method of one training seed in one split is a piece, a file; what is missing is made, and a stopped
run goes on piece by piece.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import add_pieces, run_command
from networld_agent import __version__ as agent_version
from wirelessenvs import __version__ as wirelessenvs_version
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import Progress, check_targets, imports_of, program, whole_file
from wirelessenvs.families import FAMILIES, Deployment, deployments
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.baselines import load_policy, make_baseline
    from benchmarks.baselines.shared.offline_data import OfflineData
    from benchmarks.baselines.shared.offline_pool import OfflinePool
    from benchmarks.experiment.reporting.statistics import (
        Draws,
        paired,
        score,
        score_difference,
    )
    from benchmarks.markdown import table_lines
    from benchmarks.records import remembered
    from networld_agent.collecting import FamilySettings, collect_family
    from networld_agent.config import get_preset
    from networld_agent.data.family import open_datasets
    from networld_agent.evaluation.episodes import play
    from networld_agent.evaluation.players import PlannerPlayer, Player, PolicyPlayer
    from networld_agent.evaluation.seeds import TEST_SEEDS, group_seeds
    from networld_agent.planning import Planner, PlannerConfig
    from networld_agent.training import adapt, pretrain
    from networld_agent.worlds.interface import Worlds
    from networld_agent.worlds.make import deployment_worlds
    from wirelessenvs.families.anchors import local_rules

__all__ = ["main"]

_WARM_UP: Final = 5
#: Unguided: on expert data guidance has nothing to add, and it would have to be tuned per split.
_PLAN: Final = PlannerConfig(plan_mode="none")


@dataclass(frozen=True)
class Method:
    """A row of the comparison.

    Args:
        title: in tables.
        kind: "networld" or the name of a baseline.
        context: whether observations end with what is public of the network.
        options: of the training.
    """

    title: str
    kind: str = "networld"
    context: bool = True
    options: dict[str, Any] = field(default_factory=dict)


_CONDITIONED: Final = {"context": "conditioned"}
_HEARS: Final = {"mean_field": True}
#: All but those that say otherwise hear the mean of their neighbours and know the context.
METHODS: Final = {
    "networld": Method("NetWorld", options=_CONDITIONED),
    "networld-attention": Method(
        "NetWorld, attention", options={**_CONDITIONED, "communication": "attention"}
    ),
    "networld-alone": Method(
        "NetWorld without communication", options={**_CONDITIONED, "communication": "none"}
    ),
    "networld-no-context": Method("NetWorld without context", context=False),
    "bc": Method("MA-BC", "bc", options=_HEARS),
    "bc-alone": Method("MA-BC without neighbours", "bc"),
    "bc-no-context": Method("MA-BC without context", "bc", False, _HEARS),
    "cql": Method("MA-CQL", "cql", options=_HEARS),
    "iql": Method("MA-IQL", "iql", options={**_HEARS, "beta": 0.1}),
    "dt": Method("MA-DT", "dt", options={**_HEARS, "learning_rate": 1e-3}),
    "dd": Method("MA-DD", "dd", options={**_HEARS, "horizon": 8}),
}


@dataclass(frozen=True)
class Budget:
    """How much is collected, trained and played in a family.

    Args:
        deployments: of `train`.
        episodes: of each.
        steps: of each episode.
        preset: of the world model.
        updates: of each kind of method.
        sites: that are played in a split.
        play_episodes: of each.
        play_steps: of each, after five random ones.
        few_sites: test deployments that models are adapted to.
        few_updates: of each adaptation.
    """

    deployments: int = 128
    episodes: int = 2
    steps: int = 500
    preset: str = "demo"
    updates: dict[str, int] = field(
        default_factory=lambda: {
            "networld": 2_000, "bc": 5_000, "cql": 5_000, "iql": 4_000, "dt": 300, "dd": 2_000,
        }
    )  # fmt: skip
    sites: int = 16
    play_episodes: int = 2
    play_steps: int = 200
    few_sites: int = 8
    few_updates: int = 400


_TINY: Final = Budget(
    deployments=2, steps=120, preset="smoke", sites=2, play_episodes=1, play_steps=5, few_sites=1,
    few_updates=3, updates=dict.fromkeys(("networld", "bc", "cql", "iql", "dt", "dd"), 3),
)  # fmt: skip
#: By preset and family. CBF's networks are three times as large as RB's, its expert searches.
BUDGETS: Final = {
    "smoke": dict.fromkeys(FAMILIES, _TINY),
    "cpu": {
        "rb": Budget(),
        "cbf": Budget(96, 1, 150, sites=16, play_episodes=1, play_steps=60),
        "slicing": Budget(32, 2, 100, sites=16, play_episodes=2, play_steps=40),
    },
}
#: Amounts of a test deployment's data: trajectories, and steps of each.
_AMOUNTS: Final = {"100 steps": (1, 100), "1": (1, None), "10": (10, None)}


class Study:
    """The pieces of a family, made when they are asked for.

    Args:
        family: name.
        preset: of the budget.
        out: folder of data and runs.
        pieces: folder of the results.
        command: that runs it, for the pieces.
    """

    def __init__(self, family: str, preset: str, out: Path, pieces: Path, command: str) -> None:
        self.family = FAMILIES[check_choice("--family", family, FAMILIES)]
        self.preset = check_choice("--preset", preset, BUDGETS)
        self.budget = BUDGETS[preset][family]
        self._out, self._pieces, self._command = out / f"{family}-{preset}", pieces, command
        #: What has been made, or found whole, by this process.
        self._data: dict[bool, Path] = {}
        self._runs: dict[tuple[str, int], Path] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are played."""
        return tuple(s for s in self.family.splits if s == "test" or s.startswith("beyond-"))

    def sites(self, split: str) -> tuple[Deployment, ...]:
        """The deployments of a split that are played."""
        return deployments(self.family.name, split)[: self.budget.sites]

    # -------------------------------------------------------------------- training
    def data(self, context: bool) -> Path:
        """The training data, collected if it is not there; all methods have the same episodes."""
        if context not in self._data:
            self._data[context] = self._collected(context)
        return self._data[context]

    def _collected(self, context: bool) -> Path:
        settings = FamilySettings(
            family=self.family.name, split="train", indices=range(self.budget.deployments),
            overrides={"context": context}, episodes=self.budget.episodes, steps=self.budget.steps,
        )  # fmt: skip
        return collect_family(settings, self._out / f"data-{'with' if context else 'no'}-context")

    def trained(self, name: str, seed: int) -> Path:
        """The run of a method and a training seed, for all splits that it plays."""
        if (name, seed) not in self._runs:
            self._runs[name, seed] = self._fitted(name, seed)
        return self._runs[name, seed]

    def _fitted(self, name: str, seed: int) -> Path:
        method, budget = METHODS[name], self.budget
        data, out = self.data(method.context), self._out / f"{name}-s{seed}"
        options = {**method.options, "steps": budget.updates[method.kind], "seed": seed}
        if method.kind == "networld":
            return pretrain(data, out, get_preset(budget.preset, options), device="cpu")
        config = make_baseline(method.kind).config_type.from_json(options)
        pool = OfflinePool([OfflineData(dataset) for dataset in open_datasets([data])])
        make_baseline(method.kind).fit(pool, config, out)
        return out

    def adapted(self, site: Deployment, amount: str, seed: int, scratch: bool) -> Path:
        """A model adapted to a deployment on a few-shot set that the seed draws."""
        trajectories, steps = _AMOUNTS[amount]
        settings = FamilySettings(
            family=self.family.name, split=site.split, indices=(site.index,), seed=seed,
            overrides={"context": True}, episodes=10, steps=self.budget.steps,
        )  # fmt: skip
        data = collect_family(settings, self._out / f"few-{site.index}-s{seed}")
        preset = get_preset(self.budget.preset, {"steps": self.budget.few_updates, "seed": seed})
        kind = "scratch" if scratch else "adapted"
        return adapt(
            self.trained("networld", seed), data / f"{site.index:06d}",
            self._out / f"{kind}-{site.index}-{amount.replace(' ', '-')}-s{seed}", preset,
            trajectories=trajectories, first_steps=steps, from_scratch=scratch, device="cpu",
        )  # fmt: skip

    # --------------------------------------------------------------------- playing
    def _played(
        self, sites: Sequence[Deployment], context: bool, player: Callable[[Worlds, int], Player]
    ) -> list[float]:
        """Mean reward per agent and step at each deployment, all on the same seeds."""
        budget, rewards = self.budget, []
        seeds = group_seeds(TEST_SEEDS, None, 1, budget.play_episodes)
        line = Progress("deployments", every_s=20)
        for number, site in enumerate(sites):
            line("playing", number, len(sites))
            steps = budget.play_steps
            worlds = deployment_worlds(site, len(seeds), steps + _WARM_UP, {"context": context})
            counted = play(worlds, player(worlds, number), seeds, steps, _WARM_UP)
            rewards.append(float(counted.rewards.mean()))
        line.close()
        return rewards

    def _remembered(self, name: str, what: dict[str, Any], make: Callable[[], Any]) -> list[float]:
        """Rewards of a piece, from its file if that is of these settings."""
        identity = {
            "family": self.family.name, "version": self.family.version,
            "versions": {"wirelessenvs": wirelessenvs_version, "networld_agent": agent_version},
            "budget": dataclasses.asdict(self.budget), **what,
        }  # fmt: skip

        def made() -> dict[str, Any]:
            return {
                "rewards": make(), "command": self._command,
                "machine": machine_lines(("torch", "numpy")),
            }  # fmt: skip

        path = self._pieces / f"{self.family.name}-{self.preset}-{name}.json"
        found: list[float] = remembered(path, identity, made)["rewards"]
        return found

    def anchor(self, split: str, policy: str) -> list[float]:
        """Rewards of a policy of the task at the deployments of a split."""
        return self._remembered(
            f"{split}-{policy}", {"split": split, "policy": policy},
            lambda: self._played(self.sites(split), False, lambda w, _: PolicyPlayer(w, policy)),
        )  # fmt: skip

    def zero_shot(self, split: str, name: str, seed: int) -> list[float]:
        """Rewards of a trained method at the deployments of a split."""
        method = METHODS[name]

        def make() -> list[float]:
            run = self.trained(name, seed)
            if method.kind == "networld":
                planner = Planner.load(run, config=_PLAN)
                return self._played(
                    self.sites(split), method.context, lambda *_: PlannerPlayer(planner)
                )
            policy = load_policy(run / "policy")
            return self._played(self.sites(split), method.context, lambda *_: policy)

        what = {"split": split, "method": name, "seed": seed, "options": method.options}
        return self._remembered(f"{split}-{name}-s{seed}", what, make)

    def few_shot(self, amount: str, seed: int, scratch: bool) -> list[float]:
        """Rewards of adapted models, each at its own deployment of `test`."""
        sites = self.sites("test")[: self.budget.few_sites]

        def make() -> list[float]:
            runs = [self.adapted(site, amount, seed, scratch) for site in sites]
            return self._played(
                sites, True, lambda _, n: PlannerPlayer(Planner.load(runs[n], config=_PLAN))
            )

        kind = "scratch" if scratch else "adapted"
        what = {
            "split": "test", "method": kind, "amount": amount, "seed": seed,
            "options": METHODS["networld"].options,
        }  # fmt: skip
        return self._remembered(f"few-{kind}-{amount.replace(' ', '-')}-s{seed}", what, make)


# ------------------------------------------------------------------------------- report
@dataclass(frozen=True)
class Split:
    """What was played in one split.

    Args:
        name: of the split.
        sites: its deployments, K.
        random: `(K,)` rewards of random actions.
        rule: `(K,)` of the best local rule.
        rule_name: which one that is, by its mean here.
        expert: `(K,)` of the family's expert.
        methods: `(S, K)` by name, one row per training seed.
    """

    name: str
    sites: tuple[Deployment, ...]
    random: NDArray[np.float64]
    rule: NDArray[np.float64]
    rule_name: str
    expert: NDArray[np.float64]
    methods: dict[str, NDArray[np.float64]]

    @property
    def draws(self) -> Draws:
        """Bootstrap draws of its deployments."""
        return Draws(self.name, len(self.sites))


def _table(splits: Sequence[Split], from_rule: bool) -> list[str]:
    """Scores by split: 0 the best local rule (or random actions), 100 the expert."""
    lines = []
    for name in dict.fromkeys(n for split in splits for n in split.methods):
        title = METHODS[name].title if name in METHODS else name
        cells = [title]
        for split in splits:
            values = split.methods.get(name)
            zero = split.rule if from_rule else split.random
            cells.append(
                "" if values is None
                else score(split.draws, name, values, (zero, split.expert)).shown(".1f")
            )  # fmt: skip
        lines.append(cells)
    rules = [f"{split.name} ({split.rule_name})" if from_rule else split.name for split in splits]
    return table_lines(("method", *rules), lines)


def _few_table(study: Study, split: Split, seeds: Sequence[int]) -> list[str]:
    """What adaptation and pre-training are worth, at the deployments that models adapted to."""
    count = study.budget.few_sites
    draws = Draws("few-shot", count)
    anchors = split.random[:count], split.expert[:count]
    zero = score(draws, "zero", split.methods["networld"][:, :count], anchors).shown(".1f")
    lines = []
    for amount in _AMOUNTS:
        rows = [
            np.array([study.few_shot(amount, seed, scratch) for seed in seeds])
            for scratch in (False, True)
        ]
        sides = paired(*rows)
        gain = score_difference(draws, *sides, anchors)
        cells = [score(draws, *side, anchors).shown(".1f") for side in sides]
        lines.append([amount, zero, *cells, gain.shown("+.1f")])
    return table_lines(
        ("data of the deployment", "zero-shot", "adapted", "from scratch", "pre-training is worth"),
        lines,
    )


def _draw(splits: Sequence[Split], path: Path) -> None:
    """Scores over the quantities by which deployments differ, pooled in fifths of them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sites = [site for split in splits for site in split.sites]
    names = list(sites[0].quantities)[:2]
    figure, axes = plt.subplots(1, len(names), figsize=(5 * len(names), 3.4), squeeze=False)
    random, expert = (
        np.concatenate([getattr(split, end) for split in splits]) for end in ("random", "expert")
    )
    everywhere = [n for n in splits[0].methods if all(n in split.methods for split in splits)]
    for axis, quantity in zip(axes[0], names, strict=True):
        values = np.array([site.quantities[quantity] for site in sites])
        edges = np.unique(np.quantile(values, np.linspace(0, 1, 6)))
        group = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        for name in everywhere:
            rewards = np.concatenate([split.methods[name].mean(0) for split in splits])
            points = [
                (values[at].mean(), 100 * (rewards[at] - random[at]).mean()
                 / (expert[at] - random[at]).mean())
                for at in (group == g for g in np.unique(group))
            ]  # fmt: skip
            if name in METHODS:
                axis.plot(*zip(*points, strict=True), "o-", markersize=3, label=METHODS[name].title)
            elif name != "random":
                label = None if "the task's rules" in axis.get_legend_handles_labels()[1] else (
                    "the task's rules"
                )  # fmt: skip
                axis.plot(*zip(*points, strict=True), color="0.75", zorder=0, label=label)
        axis.set_xlabel(quantity.replace("_", " "))
        axis.set_ylabel("score (0 random, 100 expert)")
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, fontsize=7, loc="lower center", ncols=4)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(path, dpi=120, format="png")
    plt.close(figure)


def _run(options: argparse.Namespace) -> None:
    study = Study(options.family, options.preset, options.out, options.pieces, options.command)
    for name in options.methods:
        check_choice("--methods", name, METHODS)
    for seed in options.seeds:
        check_int("--seeds", seed, 0, 2**18 - 1)
    for option in ("methods", "seeds", "splits"):
        given = getattr(options, option) or []
        if len(set(given)) < len(given):
            raise ValueError(f"--{option} names one twice, got {' '.join(map(str, given))}.")
    for split in options.splits or ():
        check_choice("--splits", split, study.splits)
    if options.few_shot and "networld" not in options.methods:
        raise ValueError("--few-shot adapts the method networld: name it in --methods.")
    if options.few_shot and "test" not in (options.splits or study.splits):
        raise ValueError("--few-shot is counted from the split test: name it in --splits.")
    check_targets(options.png)
    family, splits = study.family, []
    for name in options.splits or study.splits:
        rules = {rule: np.array(study.anchor(name, rule)) for rule in family.rules}
        local = [rule for rule in local_rules(family) if rule != "random"]
        best = max(local, key=lambda rule: float(rules[rule].mean()))
        methods = {
            method: np.array([study.zero_shot(name, method, seed) for seed in options.seeds])
            for method in options.methods
        }
        methods |= {rule: values[None] for rule, values in rules.items()}
        ends = [np.array(study.anchor(name, policy)) for policy in ("random", family.expert)]
        splits.append(Split(name, study.sites(name), ends[0], rules[best], best, ends[1], methods))
    print(f"{family.name}: {len(options.seeds)} training seeds, {study.budget}\n")
    print("\n".join([*_table(splits, True), "", *_table(splits, False)]))
    if options.few_shot:
        tested = next(split for split in splits if split.name == "test")
        print("\n" + "\n".join(_few_table(study, tested, options.seeds)))
    if options.png is not None:
        with whole_file(options.png) as partial:
            _draw(splits, partial)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.families"),
        description="Train on many networks, play in others that were never seen.",
    )
    parser.add_argument("--family", required=True, help=f"one of {', '.join(FAMILIES)}")
    parser.add_argument("--preset", default="cpu", help=f"{', '.join(BUDGETS)} (default: cpu)")
    parser.add_argument(
        "--methods", nargs="+", default=list(METHODS),
        help=f"of {', '.join(METHODS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--splits", nargs="+", help="(default: test and all beyond)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="(default: 0)")
    parser.add_argument(
        "--few-shot", action="store_true", help="also adapt networld to test deployments"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of data and runs")
    add_pieces(parser)
    parser.add_argument("--png", type=Path, help="draw scores over size and load here")
    return run_command(_run, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
