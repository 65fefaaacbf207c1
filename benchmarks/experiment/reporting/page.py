"""Puts tables and figures together and writes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.experiment.methods import BASELINES
from benchmarks.experiment.reporting.ablations import ablation_table
from benchmarks.experiment.reporting.amounts import amount_tables, cloning_tables
from benchmarks.experiment.reporting.blocks import (
    Block,
    Heading,
    Picture,
    Table,
    Text,
    as_csv,
    as_html,
    as_markdown,
)
from benchmarks.experiment.reporting.comparisons import (
    CLOSE,
    AmountScore,
    amount_scores,
    claim_table,
    nearest_table,
    verdicts,
)
from benchmarks.experiment.reporting.early_stopping import early_stopping_table, trials_table
from benchmarks.experiment.reporting.figures import (
    draw_amounts,
    draw_curves,
    draw_tiers,
    is_drawn,
)
from benchmarks.experiment.reporting.pretraining import (
    FewShot,
    draw_few_shot,
    few_shot,
    few_shot_table,
)
from benchmarks.experiment.reporting.results import Experiment
from benchmarks.experiment.reporting.statistics import SAMPLES
from benchmarks.experiment.reporting.style import TASK_TITLES
from benchmarks.experiment.reporting.tables import score_csv, score_table, size_table
from benchmarks.experiment.reporting.terminal import main_table, zero_rules
from benchmarks.experiment.reporting.worth import worth_sentences, worth_table
from wirelessenvs.command import whole_file

__all__ = ["write_report"]

#: Missing results that are listed by name.
_NAMED = 20


def write_report(experiment: Experiment, to: Path) -> list[Path]:
    """Writes `index.html`, `report.md`, CSV and PNG files; returns their paths.

    Args:
        experiment: finished or not.
        to: folder, made if it is not there.

    Raises:
        ValueError: if it cannot be written.
    """
    os.environ.setdefault("MPLBACKEND", "agg")
    to.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    scores, pairs = amount_scores(experiment), few_shot(experiment)
    pictures = _pictures(experiment, scores, pairs, to)
    blocks = _blocks(experiment, scores, pairs, pictures)
    title = _title(experiment)
    texts = {
        "report.md": as_markdown(blocks),
        "scores.csv": score_csv(experiment),
        "amounts.csv": _amounts_csv(scores),
        "curves.csv": _curves_csv(experiment),
        "index.html": as_html(title, blocks),
    }
    for block in blocks:
        if isinstance(block, Table) and not block.name.startswith("scores-"):
            texts[f"{block.name}.csv"] = as_csv(block.columns, block.rows)
    for name, text in texts.items():
        with whole_file(to / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        written.append(to / name)
    return [*written, *(to / picture.name for picture in pictures.values())]


def _title(experiment: Experiment) -> str:
    return f"NetWorld and baselines, preset {experiment.protocol['name']}"


def _pictures(
    experiment: Experiment, scores: list[AmountScore], pairs: list[FewShot], to: Path
) -> dict[str, Picture]:
    protocol, found = experiment.protocol, {}
    setups = [experiment.setup(str(task["name"])) for task in experiment.tasks]
    curves = _steps(setup.curve_steps(protocol["curve_steps"]) for setup in setups)
    tests = _steps(setup.played_steps(protocol["eval_steps"]) for setup in setups)
    if experiment.curves:
        found["curves"] = _picture(
            to / "curves.png",
            lambda path: draw_curves(experiment, path),
            "Reward over training; trajectories of the held-out task in brackets. Lines are means "
            "over training seeds, shades their range. Points come from the first "
            f"{protocol['curve_episodes']} test worlds and {curves} steps "
            "of each, and can therefore differ from the tables and from the lines of the "
            f"references, which come from all {protocol['episodes']} worlds and "
            f"{tests} steps.",
        )
    whole = [entry for entry in scores if is_drawn(entry.method) and entry.complete]
    if whole:
        found["amounts"] = _picture(
            to / "amounts.png",
            lambda path: draw_amounts(experiment, whole, path),
            "Score against the amount of data of the held-out task, mean of "
            f"{', '.join(whole[0].tasks)}; below, what NetWorld's training data consists of.",
        )
    if pairs:
        found["pretraining"] = _picture(
            to / "pretraining.png",
            lambda path: draw_few_shot(experiment, pairs, path),
            "Pre-trained on the other tasks and from scratch, after as many updates on the same "
            "data of the held-out task.",
        )
    for task in (entry["name"] for entry in experiment.tasks):
        trained = any(group.tier for group in experiment.find(task))
        if trained and experiment.anchors(task, zero="local") is not None:
            found[f"tiers-{task}"] = _picture(
                to / f"tiers-{task}.png",
                partial(draw_tiers, experiment, task),
                f"{TASK_TITLES.get(task, task)}: score by tier of data; 0 is the best local rule, "
                "100 the expert. Hollow marks are variants of the method of that colour.",
            )
    return found


def _steps(counts: Iterable[int]) -> str:
    """Steps that are played of a world, from the fewest to the most of all tasks."""
    counts = {*counts}
    return " to ".join(str(count) for count in sorted({min(counts), max(counts)}))


def _picture(path: Path, draw: Callable[[Path], None], caption: str) -> Picture:
    with whole_file(path) as unfinished:
        draw(unfinished)
    return Picture(path.read_bytes(), caption, path.name)


def _blocks(
    experiment: Experiment,
    scores: list[AmountScore],
    pairs: list[FewShot],
    pictures: dict[str, Picture],
) -> list[Block]:
    protocol = experiment.protocol
    blocks: list[Block] = [Heading(_title(experiment), 1), Text(_summary(experiment))]
    blocks += [Text(f"Machine: {machine}.") for machine in experiment.machines]
    if experiment.missing:
        names = ", ".join(experiment.missing[:_NAMED])
        more = len(experiment.missing) - _NAMED
        rest = f" and {more} more" if more > 0 else ""
        blocks.append(
            Text(
                f"Not complete: {len(experiment.missing)} of {experiment.total} results are "
                f"missing: {names}{rest}."
            )
        )
    blocks += _above_rules(experiment, pictures)
    few, many = protocol["few"], protocol["many"]
    blocks.append(Heading(f"NetWorld on {few} trajectories against baselines on {many}"))
    blocks += [Text(sentence) for sentence in verdicts(experiment)]
    blocks += _tables(claim_table(experiment))
    if "curves" in pictures:
        blocks += [Heading("Learning curves"), pictures["curves"]]
    earlier = early_stopping_table(experiment)
    if earlier is not None:
        sentence = (
            "Rewards in the worlds of the curves, if a baseline played the best of its snapshots, "
            "chosen by these very rewards:"
        )
        blocks += [Text(sentence), earlier]
    by_tier = amount_tables(experiment)
    if "amounts" in pictures or by_tier:
        blocks.append(Heading("Amount of data"))
    if "amounts" in pictures:
        blocks.append(pictures["amounts"])
    for tier, by_amount in by_tier.items():
        sentence = f"Trained on {tier} data of the held-out task, by trajectories:"
        blocks += [Text(sentence), by_amount]
    for tier, beside in cloning_tables(experiment).items():
        sentence = (
            f"Score above behaviour cloning on the same {tier} data; what prefers good "
            "trajectories is compared with cloning that prefers them too:"
        )
        blocks += [Text(sentence), beside]
    nearest = nearest_table(experiment, scores)
    if nearest is not None:
        sentence = f"Smallest amount of expert data with a score of at least {100 - CLOSE:.0f}:"
        blocks += [Text(sentence), nearest]
    worth = few_shot_table(experiment, pairs)
    if worth is not None:
        blocks += [Heading("What pre-training is worth"), pictures["pretraining"], worth]
    for task in experiment.tasks:
        table = score_table(experiment, task["name"])
        if table is not None:
            blocks += [Heading(TASK_TITLES.get(task["name"], task["name"])), table]
    parts = ablation_table(experiment)
    if parts is not None:
        sentence = (
            "n is the number of training seeds that a variant and the whole have in common, and "
            "over which their rewards are compared: read its score against NetWorld's row of as "
            "many. Best heuristic and expert are compared with the whole of all its seeds."
        )
        blocks += [Heading("Ablations"), Text(sentence), parts]
    trials = trials_table(experiment)
    if trials is not None:
        sentence = (
            "Settings tried on validation worlds after training, and looks at held-out data during "
            "it that choose the weights (least and most of all training runs):"
        )
        blocks += [Heading("What was chosen by validation"), Text(sentence), trials]
    sizes = size_table(experiment)
    if sizes is not None:
        blocks += [Heading("Other sizes, without training on them"), sizes]
    return blocks


def _above_rules(experiment: Experiment, pictures: dict[str, Picture]) -> list[Block]:
    """Scores of which 0 is the best local rule, by tier of data, and what parts are worth there."""
    if not experiment.above_rules:
        return []
    blocks: list[Block] = [Heading("Scores above the best local rule")]
    for tier in experiment.tiers:
        table = main_table(experiment, tier, "local")
        if table is not None:
            blocks += [Text(f"On {tier} data; {zero_rules(experiment)}"), table]
    blocks += [picture for name, picture in pictures.items() if name.startswith("tiers-")]
    worth = worth_table(experiment)
    if worth is not None:
        blocks.append(Heading("What each part is worth"))
        blocks += [Text(sentence) for sentence in worth_sentences(experiment)]
        blocks.append(worth)
    return blocks


def _tables(table: Table | None) -> list[Block]:
    return [] if table is None else [table]


def _summary(experiment: Experiment) -> str:
    protocol = experiment.protocol
    names = [str(task["name"]) for task in experiment.tasks]
    lengths = ", ".join(
        f"{name} {experiment.setup(name).played_steps(protocol['eval_steps'])}" for name in names
    )
    rules = (
        " The best heuristic of a task is the best of its rules that neither learn nor are the "
        "expert; both stand in every table, and have no training seeds."
        if any(group.method == "heuristic" for group in experiment.groups)
        else ""
    )
    return (
        f"Every method plays the same {protocol['episodes']} test worlds (steps: {lengths}) after "
        f"the same {protocol['warm_up']} random joint actions. Score: 0 is the random policy, 100 "
        f"the expert. n is the number of training seeds. Intervals are 95 %, from {SAMPLES:,} "
        "bootstrap draws of training seeds and test worlds, the same worlds for all methods of a "
        "task and for the anchors of the score; with n = 1 they cover test worlds only. IQM is the "
        "interquartile mean of the scores of all runs. NetWorld holds out one of its trajectories "
        f"to choose its weights by; {_held_out(protocol)}. Milliseconds are per joint "
        "decision of one network on one core, bytes what an agent sends per step."
        f"{rules}"
    )


def _held_out(protocol: dict[str, Any]) -> str:
    """What baselines do, where NetWorld chooses its weights by a trajectory."""
    options = [
        pairs
        for name, pairs in protocol["baseline_options"].items()
        if name.partition("@")[0] in BASELINES
    ]
    alike = ["held_out=True" in pairs for pairs in options]
    if not any(alike):
        return "baselines train on all of theirs"
    return "so do all baselines" if all(alike) else (
        "so do all baselines but those that a search found to be better without"
    )  # fmt: skip


def _amounts_csv(scores: list[AmountScore]) -> str:
    tasks = list(dict.fromkeys(task for s in scores for task in s.tasks))
    rows = [
        (
            s.method, s.tier, s.amount, s.score.value, s.score.low, s.score.high, int(s.complete),
            *(s.tasks.get(task, float("nan")) for task in tasks),
        )
        for s in scores
    ]  # fmt: skip
    columns = ("method", "tier", "amount", "score", "low", "high", "all_tasks", *tasks)
    return as_csv(columns, rows)


def _curves_csv(experiment: Experiment) -> str:
    rows = [
        (curve.task, curve.method, curve.amount, seed, float(share), float(reward))
        for curve in experiment.curves
        for seed, rewards in enumerate(curve.rewards)
        for share, reward in zip(curve.share, rewards, strict=True)
    ]
    return as_csv(("task", "method", "amount", "seed", "training_percent", "reward"), rows)
