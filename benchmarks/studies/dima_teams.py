"""DIMA beside MAPPO and HAPPO on the divided bodies of MuJoCo: learning curves over seeds.

python -m benchmarks.studies.dima_teams --teams halfcheetah-2x3 ant-2x4 --seeds 1 2 3 \
        --out runs/teams --pieces benchmarks/results/dima-teams

goes on where it was stopped, in the middle of a run too; every finished run is a file of its own.
With `--report` nothing is trained: the files there are become a table and a figure.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.command import add_pieces, run_command
from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.command import (
    add_overrides,
    check_targets,
    imports_of,
    parse_overrides,
    program,
    whole_file,
)
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    from benchmarks.baselines.dima.policy_config import OnlineConfig
    from benchmarks.baselines.mappo.config import MappoConfig
    from benchmarks.baselines.mappo.happo import HappoConfig
    from benchmarks.baselines.online.evaluation import (
        Evaluation,
        Setting,
        play_references,
        snapshot_curve,
    )
    from benchmarks.baselines.online.mamujoco import DIVIDED
    from benchmarks.baselines.online.run import evaluate_run, report
    from benchmarks.markdown import table_lines
    from benchmarks.records import known_pieces, remembered
    from benchmarks.studies.online_pieces import train_piece

__all__ = ["main"]

#: Of a piece, for the table and the figure.
_NEEDED: Final = ("team", "method", "seed", "return", "curve", "random")

#: As many denoising steps for both: 2 n for two agents, n for more, as published.
_DIMA: Final[dict[str, Any]] = {"model": "wireless", "denoiser_sampling_steps": 0}
#: The best of seven settings by validation episodes on HalfCheetah 2x3, see docs/dima.md.
_MAPPO: Final[dict[str, Any]] = {"epochs": 10, "entropy": 0.0, "rollout": 100}
#: For MAPPO and HAPPO, by body: the best of nine settings, likewise, on Ant 2x4.
_OF_BODY: Final[dict[str, dict[str, Any]]] = {"ant": {"rollout": 200, "clip": 0.1}}
_METHODS: Final[dict[str, dict[str, Any]]] = {
    "mappo": _MAPPO,
    "happo": _MAPPO,
    "dima-sequential": {**_DIMA, "denoiser_conditioning": "sequential"},
    "dima-joint": {**_DIMA, "denoiser_conditioning": "joint"},
}
#: Title and colour, of Okabe and Ito's.
_LOOKS: Final = {
    "mappo": ("MAPPO", "#0072B2"),
    "happo": ("HAPPO", "#009E73"),
    "dima-sequential": ("DIMA, sequential", "#882255"),
    "dima-joint": ("DIMA, joint", "#E69F00"),
}
#: Returns after a million steps in arXiv 2505.20922, by team and method.
_PUBLISHED: Final[dict[str, dict[str, float]]] = {
    "halfcheetah-2x3": {"dima-sequential": 6370, "happo": 2628, "mappo": 3196},
    "halfcheetah-3x2": {"dima-sequential": 6175, "happo": 3402, "mappo": 2936},
    "halfcheetah-6x1": {"dima-sequential": 5643, "happo": 2939, "mappo": 925},
}
#: Episodes that every snapshot plays.
_CURVE_EPISODES: Final = 5
_SNAPSHOTS: Final = 10


def _config(
    method: str, team: str, steps: int, seed: int, more: dict[str, Any]
) -> MappoConfig | OnlineConfig:
    common = {"steps": steps, "seed": seed, "snapshots": _SNAPSHOTS, "threads": 1}
    kind = {"mappo": MappoConfig, "happo": HappoConfig}.get(method, OnlineConfig)
    body = team.partition("-")[0]
    chosen = more if kind is OnlineConfig else _OF_BODY.get(body, {})
    return kind.from_json({**common, **_METHODS[method], **chosen})


def _piece(team: str, method: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run, trained and scored; read from its file where it is finished."""
    name, setting = f"{team}-{method}-{seed}", Setting(team)
    config = _config(method, team, options.steps, seed, parse_overrides(options.overrides))
    identity = {"team": team, "method": method, "seed": seed, "config": config.identity()}
    evaluation = Evaluation(options.episodes)
    folder = options.out / name

    def make() -> dict[str, Any]:
        spent = train_piece(setting, config, folder)
        references = remembered(
            options.out / f"{team}-references.json",
            {"episodes": options.episodes},
            lambda: {"references": play_references(setting, evaluation)},
        )["references"]
        scores = evaluate_run(folder, setting, evaluation, references)
        print(report(method, folder, scores), flush=True)
        curve = snapshot_curve(folder, setting, Evaluation(min(_CURVE_EPISODES, options.episodes)))
        random = references["random"]
        return {
            **spent, "return": scores["return"], "interval": scores["interval"],
            "random": sum(random) / len(random), "curve": curve, "command": options.command,
            "machine": machine_lines(("torch", "numpy", "mujoco", "gymnasium-robotics")),
        }  # fmt: skip

    played = {"episodes": options.episodes, "curve_episodes": _CURVE_EPISODES}
    return remembered(options.pieces / f"{name}.json", {**identity, **played}, make)


# --------------------------------------------------------------------------------- report
def _of(rows: Sequence[dict[str, Any]], team: str, method: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["team"], row["method"]) == (team, method)]


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):,.0f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):,.0f}"


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    found = []
    for team in [team for team in DIVIDED if any(row["team"] == team for row in rows)]:
        for method, (title, _) in _LOOKS.items():
            if not (runs := _of(rows, team, method)):
                continue
            seconds = [run["cpu_seconds"] for run in runs if run["cpu_seconds"] is not None]
            published = _PUBLISHED.get(team, {}).get(method)
            found.append([
                team, title, f"{runs[0]['steps']:,}", len(runs),
                _spread([run["return"] for run in runs]),
                _spread([max(p["value"] for p in run["curve"]) for run in runs]),
                f"{runs[0]['random']:,.0f}",
                f"{runs[0]['model_updates_per_step']:.2g}, "
                f"{runs[0]['policy_updates_per_step']:.2g}",
                f"{np.mean(seconds):,.0f}" if seconds else "",
                "" if published is None else f"{published:,.0f}",
            ])  # fmt: skip
    columns = (
        "team", "method", "steps", "seeds", "return at the end", "at best", "random",
        "updates per step: model, policy", "CPU s", "published, 1M steps",
    )  # fmt: skip
    return table_lines(columns, found)


def _draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    # Only who wants a picture needs matplotlib.
    os.environ.setdefault("MPLBACKEND", "agg")
    import matplotlib
    import matplotlib.pyplot as plt

    from benchmarks.experiment.reporting.figures import RC

    teams = [team for team in DIVIDED if any(row["team"] == team for row in rows)]
    with matplotlib.rc_context(RC):
        figure, axes = plt.subplots(
            1, len(teams), figsize=(4.4 * len(teams), 4), layout="constrained", squeeze=False
        )
        handles: dict[str, Any] = {}
        for axis, team in zip(axes[0], teams, strict=True):
            _panel(axis, rows, team, handles)
        axes[0][0].set_ylabel("return")
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
        figure.savefig(path, format="png")
        plt.close(figure)


def _panel(axis: Any, rows: Sequence[dict[str, Any]], team: str, handles: dict[str, Any]) -> None:
    """Mean over the seeds, their range, and the published returns at the right edge."""
    for method, (title, colour) in _LOOKS.items():
        if not (runs := _of(rows, team, method)):
            continue
        length = min(len(run["curve"]) for run in runs)
        steps = [point["step"] for point in runs[0]["curve"][:length]]
        values = np.array([[p["value"] for p in run["curve"][:length]] for run in runs])
        (handles[title],) = axis.plot(steps, values.mean(0), marker="o", ms=4, color=colour)
        axis.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
        if (published := _PUBLISHED.get(team, {}).get(method)) is not None:
            axis.plot(1.02, published, marker="<", color=colour, clip_on=False,
                      transform=axis.get_yaxis_transform())  # fmt: skip
    axis.axhline(next(r["random"] for r in rows if r["team"] == team), color="#BBBBBB", ls=":")
    axis.set_title(team)
    axis.set_xlabel("environment steps (marks: published, 1M)")


def _study(options: argparse.Namespace) -> None:
    check_targets(options.png)
    if not options.report:
        for team in options.teams:
            check_choice("--teams", team, tuple(DIVIDED))
        for method in options.methods:
            check_choice("--methods", method, tuple(_METHODS))
        check_int("--episodes", options.episodes, 1)
        if options.out is None:
            raise ValueError("--out is needed to train; only --report goes without it.")
        # Before anything is trained: a wrong option is told now, not after the first run.
        for method in options.methods:
            for team in options.teams:
                _config(method, team, options.steps, 0, parse_overrides(options.overrides))
        for team in options.teams:
            for seed in options.seeds:
                for method in options.methods:
                    _piece(team, method, check_int("--seeds", seed, 0), options)
    rows = known_pieces(options.pieces, _NEEDED)
    print("\n".join(_table(rows)))
    if options.png is not None:
        with whole_file(options.png) as partial:
            _draw(rows, partial)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.dima_teams"),
        description="Train DIMA, MAPPO and HAPPO on divided bodies of MuJoCo and compare them.",
    )
    parser.add_argument("--teams", nargs="+", default=list(DIVIDED), help="(default: all seven)")
    parser.add_argument(
        "--methods", nargs="+", default=list(_METHODS),
        help=f"of {', '.join(_METHODS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="(default: 1)")
    parser.add_argument("--steps", type=int, default=100_000, help="of a run (default: 100000)")
    parser.add_argument("--episodes", type=int, default=10, help="test episodes (default: 10)")
    parser.add_argument("--out", type=Path, help="folder of the runs")
    add_pieces(parser)
    parser.add_argument("--report", action="store_true", help="train nothing: table and figure")
    parser.add_argument("--png", type=Path, help="draw the curves here")
    add_overrides(
        parser,
        "replace an option of DIMA, e.g. --set model_updates=100; repeatable",
        "OPTION=VALUE",
    )
    return run_command(_study, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
