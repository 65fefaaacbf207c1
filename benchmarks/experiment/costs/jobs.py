"""Seconds of a job on a machine with one GPU and one core beside it."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.baselines import method_class
from benchmarks.experiment.costs.rates import Rates, Seconds
from benchmarks.experiment.jobs.evaluating import BATCH, TIMED_STEPS
from benchmarks.experiment.jobs.job import Job
from benchmarks.speed.data import SHAPES
from networld_agent.evaluation.episodes import whole_batch
from wirelessenvs.tasks import get_task

__all__ = ["job_seconds"]

#: Of a process until it works: the card's context, kernels, the recording of a step. Assumed.
_START: Final = Seconds(8.0, False)
#: Trials of temperature and scale: three or four of seven at most, one of them with eight votes.
_TRIALS, _VOTES = 3, 8


def job_seconds(job: Job, rates: Rates) -> Seconds:
    """Seconds that a job takes; adaptation at its longest, as held-out data may end it early."""
    settings = job.settings
    if job.kind == "collect":
        steps = settings["episodes"] * settings["steps"]
        return rates.environment_step(settings["env"], settings["policy"]) * steps
    if job.kind == "pretrain":
        return rates.training_step(settings["network"]) * settings["steps"] + _START
    if job.kind == "adapt":
        training = rates.training_step(settings["network"]) * settings["steps"]
        return training + _tuning(settings["network"], settings["tuning"], rates) + _START
    if job.kind == "fit":
        return _fit(settings, rates) + _START
    fitted = job.inputs.get("policy")
    if fitted is None:
        return _playing(settings, rates, None, "")
    network = fitted.settings.get("network", "")
    played = _playing(settings, rates, settings["method"], network)
    if job.kind == "curve":
        return played * fitted.settings["snapshots"] + _START
    latency = _decisions(settings, rates, settings["method"], network, 1)
    return played + latency * (TIMED_STEPS + settings["warm_up"]) + _START


def _fit(settings: dict[str, Any], rates: Rates) -> Seconds:
    method, tuning = settings["method"], settings["tuning"]
    kind = method_class(method)
    config = kind.config_type.from_overrides(settings["options"])
    training = rates.update(method, tuning["env"]) * config.steps
    trial = _playing(tuning, rates, method, "")
    return training + trial * len(kind.policy_type.tuned_shares)


def _tuning(network: str, tuning: dict[str, Any], rates: Rates) -> Seconds:
    usual = _playing(tuning, rates, "networld", network)
    return usual * _TRIALS + _playing(tuning, rates, "networld", network, _VOTES)


def _playing(
    settings: dict[str, Any], rates: Rates, method: str | None, network: str, votes: int = 1
) -> Seconds:
    """All episodes of an evaluation: environments on a core, and the decisions."""
    episodes, steps = settings["episodes"], settings["steps"] + settings["warm_up"]
    batch = whole_batch(episodes, BATCH)
    agents, usual = _agents(settings), SHAPES[settings["env"]].agents
    worlds = rates.environment_step(settings["env"]) * (episodes * steps * agents / usual)
    if method is None:
        # Rules decide within that time; those that know what is to come may take longer.
        return Seconds(worlds.value, settings["policy"] == "expert" and worlds.measured)
    rounds = episodes // batch * steps
    return worlds + _decisions(settings, rates, method, network, batch * votes) * rounds


def _decisions(
    settings: dict[str, Any], rates: Rates, method: str, network: str, batch: int
) -> Seconds:
    rows = batch * _agents(settings)
    if method == "networld":
        return rates.plan(network, rows)
    return rates.decision(method, settings["env"], rows)


def _agents(settings: dict[str, Any]) -> int:
    config = get_task(settings["env"]).config.from_preset(
        settings["preset"], **settings["overrides"]
    )
    return int(getattr(config, "num_cells", None) or config.num_nodes)  # type: ignore[attr-defined]
