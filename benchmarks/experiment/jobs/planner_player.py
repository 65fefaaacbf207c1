"""NetWorld as jobs play it: a planner with the model that another job has trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from networld_agent.evaluation.players import PlannerPlayer, Player, check_fit
from networld_agent.model import WorldModel
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.worlds.interface import Worlds

__all__ = ["load_player", "tuned_options"]


def load_player(
    settings: dict[str, Any], worlds: Worlds, path: Path, tuned: dict[str, float]
) -> Player:
    """A planner that fits the worlds, with the job's own options over the tuned ones."""
    # A snapshot is the model's folder itself.
    inner = path / "model" if (path / "model").exists() else path
    options = {**tuned, **settings["plan"]}
    if options.get("plan_mode") == "random" and options.get("guidance_scale") == 0:
        # No guidance was best for this model: then its control does not steer either.
        options["plan_mode"] = "none"
    config = PlannerConfig(**options)
    planner = Planner.load(inner, worlds.task, config)
    check_fit(planner, worlds)
    return PlannerPlayer(planner)


def tuned_options(settings: dict[str, Any], path: Path) -> dict[str, float]:
    """Options of the planner that were tuned."""
    spec = WorldModel.load(path / "model").tasks[settings["env"]]
    found = {
        "guidance_scale": spec.guidance_scale,
        "temperature": spec.temperature,
        "steps": spec.denoising_steps,
        "value_scale": spec.value_scale,
    }
    return {name: value for name, value in found.items() if value is not None}
