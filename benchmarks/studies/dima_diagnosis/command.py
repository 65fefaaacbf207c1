"""Says what a world model gets right, on one page with plots.

    python -m benchmarks.studies.dima_diagnosis.command --env rb-v0 --model runs/rb-world \
        --updates 1000 --out dima-rb.html

With `--updates`, a model is first trained on random play and stored in `--model`, unless one is
there already. With `--policy`, the policy of a run plays instead of random actions, and also in the
model:

    python -m benchmarks.studies.dima_diagnosis.command --env cbf-v0 --model runs/cbf-dima/model \
        --policy runs/cbf-dima --out dima-cbf.html
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.command import run_command
from wirelessenvs.checks import check_int
from wirelessenvs.command import (
    add_overrides,
    check_targets,
    imports_of,
    parse_overrides,
    program,
    whole_file,
)
from wirelessenvs.faults import check_installed
from wirelessenvs.machine import machine_lines

with imports_of(__name__):
    import torch

    from benchmarks.baselines import load_policy
    from benchmarks.baselines.dima.config import PRESETS, DimaConfig
    from benchmarks.baselines.dima.online import world_spec
    from benchmarks.baselines.dima.world_model import WorldModel
    from benchmarks.baselines.mappo.policy import TeamPolicy
    from benchmarks.baselines.online.team_env import TeamEnv
    from benchmarks.baselines.online.teams import TEAMS, make_team
    from benchmarks.studies.dima_diagnosis.model_checks import effects, fork, prediction
    from benchmarks.studies.dima_diagnosis.page import Diagnosis, diagnosis_page, verdicts
    from benchmarks.studies.dima_diagnosis.policy_checks import (
        imagined_play,
        reward_effects,
        sampled_act,
    )
    from benchmarks.studies.dima_diagnosis.recording import record
    from benchmarks.studies.dima_diagnosis.training import train_on
    from networld_agent.documents import write_json

__all__ = ["main"]

_HELD_OUT_SEED: Final = 1_000_003


def _model(options: argparse.Namespace, team: TeamEnv) -> WorldModel:
    spec, folder = world_spec(team), options.model
    if options.updates is None or (folder / "world_model.json").exists():
        return WorldModel.load(folder, spec)
    config = DimaConfig.from_preset(options.preset, **parse_overrides(options.overrides))
    torch.manual_seed(options.seed)
    model = WorldModel(spec, config)
    data = record(team, options.steps, options.seed)
    train_on(data, model, options.updates, options.seed, "training")
    model.save(folder)
    return model


def _policy(folder: Path | None, team: TeamEnv) -> TeamPolicy | None:
    if folder is None:
        return None
    policy = load_policy(folder)
    if not isinstance(policy, TeamPolicy) or policy.spec.task != team.task:
        raise ValueError(f"{folder}: holds no policy of MAPPO or DIMA for {team.task}.")
    return policy


def _diagnose(options: argparse.Namespace) -> None:
    for name in ("episodes", "steps", "horizon", "draws", "forks"):
        check_int(f"--{name}", getattr(options, name), 1)
    if options.updates is not None:
        check_int("--updates", options.updates, 1)
    check_targets(options.out, options.json)
    check_installed("matplotlib")
    torch.set_num_threads(check_int("--threads", options.threads, 1))
    team = make_team(options.env, options.episodes)
    model = _model(options, team)
    policy = _policy(options.policy, team)
    act = None if policy is None else sampled_act(policy)
    torch.manual_seed(options.seed)
    held_out = record(team, options.steps, _HELD_OUT_SEED, act)
    context = model.config.denoiser.context
    times = np.unique(np.linspace(context + 2, context + 22, options.forks).astype(int)).tolist()
    torch.manual_seed(options.seed)
    forks = fork(
        lambda: make_team(options.env, options.episodes), times, _HELD_OUT_SEED, context, act
    )
    torch.manual_seed(options.seed)
    found, apart = effects(model, forks, options.draws)
    errors = prediction(model, held_out, options.horizon, options.forks)
    rewards, play = reward_effects(model, forks), None
    if policy is not None:
        play = imagined_play(model, policy, held_out, options.horizon, options.forks)
    conditioning = model.config.denoiser.conditioning
    diagnosis = Diagnosis(team.task, conditioning, found, apart, errors, rewards, play)
    for good, sentence in verdicts(diagnosis):
        print(f"  {'yes' if good else 'NO '}  {sentence}")
    about = [options.command, *machine_lines(("wirelessenvs", "torch", "numpy"))]
    about.append(f"Conditioning {conditioning}; {int(model.updates[0])} updates of the denoiser.")
    with whole_file(options.out) as partial:
        partial.write_text(diagnosis_page(diagnosis, about))
    print(f"\nwrote {options.out}")
    if options.json is not None:
        write_json(options.json, {"about": about, **diagnosis.to_json()})
        print(f"wrote {options.json}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=program("benchmarks.studies.dima_diagnosis.command"),
        description="Say what a world model gets right, on one page with plots.",
    )
    parser.add_argument("--env", required=True, help=f"one of {', '.join(TEAMS)}")
    parser.add_argument("--model", type=Path, required=True, help="folder of a world model")
    parser.add_argument("--updates", type=int, help="train a model first if there is none")
    parser.add_argument(
        "--preset", default="wireless",
        help=f"of that model, one of {', '.join(PRESETS)} (default: wireless)",
    )  # fmt: skip
    add_overrides(
        parser,
        "an option of that model, e.g. --set denoiser_conditioning=sequential; repeatable",
        "OPTION=VALUE",
    )
    parser.add_argument(
        "--policy", type=Path, metavar="RUN", help="run whose policy plays (default: at random)"
    )
    parser.add_argument("--episodes", type=int, default=20, help="at once (default: 20)")
    parser.add_argument("--steps", type=int, default=200, help="of each (default: 200)")
    parser.add_argument("--forks", type=int, default=5, help="of each episode (default: 5)")
    parser.add_argument("--draws", type=int, default=4, help="samples per fork (default: 4)")
    parser.add_argument("--horizon", type=int, default=15, help="imagined steps (default: 15)")
    parser.add_argument("--seed", type=int, default=0, help="of play and training (default: 0)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="the page, an HTML file")
    parser.add_argument("--json", type=Path, help="write all figures")
    return run_command(_diagnose, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
