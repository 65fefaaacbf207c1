"""An experiment with made-up results, that several test files report on."""

import dataclasses

import numpy as np

from benchmarks.experiment.jobs.experiment import write_experiment
from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.job import with_inputs
from benchmarks.experiment.jobs.store import RESULT_FILE, Store, write_document
from benchmarks.experiment.methods import REFERENCES
from benchmarks.experiment.presets import PRESETS
from wirelessenvs.tasks import get_task

EPISODES = 20
PROTOCOL = dataclasses.replace(
    PRESETS["smoke"],
    seeds=3,
    episodes=EPISODES,
    ablation_seeds=2,
    amounts={"networld": {"expert": ("20 steps",)}, "baselines": {"expert": ("2",)}},
)
#: Mean reward of each; every method beyond these has 4.
LEVELS = {
    "random": 0.0, "medium": 6.0, "heuristic": 8.0, "expert": 10.0, "genie": 11.0, "networld": 9.0,
}  # fmt: skip


def write_results(out, levels=LEVELS, leave_out=(), protocol=PROTOCOL):
    """An experiment with made-up rewards: a level per method, and noise per world and seed.

    A level may be that of a method on a tier: `"bc@rule"`.
    """
    store, entries = Store(out), build(protocol)
    store.jobs.mkdir(parents=True)
    write_experiment(store, protocol, entries)
    about = {entry.job.folder: entry for entry in entries}
    for job in with_inputs(entry.job for entry in entries):
        entry = about.get(job.folder)
        if entry is not None and entry.method in leave_out:
            continue
        result = {"parameters": 1_000} if job.kind in ("fit", "adapt") else {}
        if protocol is not PROTOCOL and result:
            looks = {"looks": 12, "steps": 600, "best_step": 550}
            result |= {"tuning": {"1": 0.5, "2": 0.7}, "held_out": looks}
        if entry is not None:
            result = played(entry, levels)
        usage = {"wall_seconds": 2.0, "cpu_seconds": 7.0, "peak_memory_mb": 90.0, "attempts": 1}
        document = {
            "kind": job.kind, "name": job.name, "key": job.key, "settings": job.settings,
            "result": result, "usage": usage, "machine": ["a machine"],
        }  # fmt: skip
        write_document(store.folder(job) / RESULT_FILE, document)
    return out


def played(entry, levels):
    level = levels.get(f"{entry.method}@{entry.tier}", levels.get(entry.method, 4.0))
    level -= 2.0 if entry.amount in ("2", "20 steps") else 0.0
    level += 2.0 if entry.method == "networld" and entry.main else 0.0
    if entry.job.kind == "curve":
        rewards = [[level - 1.0] * 2, [level] * 2]
        points = [{"step": 10 * (i + 1), "rewards": row} for i, row in enumerate(rewards)]
        return {"points": points}
    worlds = np.random.default_rng(5).normal(0, 1.0, EPISODES)
    noise = np.random.default_rng(entry.seed).normal(0, 0.2, EPISODES)
    rewards = worlds + level + (noise if entry.method not in REFERENCES else 0)
    metric = get_task(entry.job.settings["env"]).score
    return {
        "policy": entry.job.settings.get("policy", entry.method),
        "information": "local", "rewards": rewards.tolist(),
        "metrics": {metric: rewards.tolist()}, "repeated": [0.25] * EPISODES,
        "bytes_per_step": 32.0, "ms_per_decision": 1.5, "seeds": list(range(EPISODES)),
    }  # fmt: skip
