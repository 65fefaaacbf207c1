"""What the decisive comparison adds: tiers, the published row, draws of data, fresh worlds."""

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.job import with_inputs
from benchmarks.experiment.methods import BASELINES, JUDGING, REFERENCES, WITH_MEAN_FIELD
from benchmarks.experiment.presets import PRESETS
from benchmarks.experiment.protocol import TIERS_OF_DATA, TaskSetup, cells
from benchmarks.run import main
from networld_agent.config import get_preset, parse_options
from networld_agent.evaluation.seeds import TEST_SEEDS, VALIDATION_SEEDS, block_seeds
from networld_agent.planning import PlannerConfig
from wirelessenvs.command import parse_overrides
from wirelessenvs.tasks import TASKS

SMOKE, DECISIVE = PRESETS["smoke"], PRESETS["decisive"]
ROOT = Path(__file__).parents[3]
_NOT_SEARCHED = ("mean_field", "validate_every")
TIERED = dataclasses.replace(
    SMOKE, amounts={"bc": {"rule": ("2",), "replay": ("2",), "mixed": ("2",)}}
)


def played(entries, **wanted):
    return [
        e
        for e in entries
        if e.job.kind == "evaluate" and all(getattr(e, k) == v for k, v in wanted.items())
    ]


def one(entries, **wanted):
    (found,) = played(entries, **wanted)
    return found.job


# ------------------------------------------------------------------------------- tiers
def test_methods_are_trained_on_any_of_four_tiers():
    assert TIERS_OF_DATA == ("expert", "mixed", "rule", "replay")
    entries = build(TIERED, tasks=["rb"])
    for tier in TIERS_OF_DATA:
        fitted = one(entries, method="bc", tier=tier).inputs["policy"]
        assert fitted.inputs["data"].name == f"collect-rb-{tier}"
        assert fitted.inputs["data"].settings["policy"] == tier


def test_what_played_the_data_is_played_beside_what_learns_from_it():
    def references(**part):
        entries = build(TIERED, tasks=["rb"], methods=["bc"], **part)
        return [e.method for e in entries if e.method in REFERENCES]

    assert references(tiers=["replay"]) == ["random", "rule", "expert"]
    assert references(tiers=["mixed"]) == ["random", "medium", "expert"]
    assert references(tiers=["expert"]) == ["random", "expert"]
    assert one(build(TIERED), task="rb", method="rule").settings["policy"] == "rule"
    assert not played(build(SMOKE), method="rule"), "no data of it, no row of it"


def test_a_tier_that_a_task_has_no_policy_for_is_one_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.delitem(TASKS["rb-v0"].policies, "demand")
    out = ["--out", str(tmp_path / "out")]
    assert main(["--preset", "decisive", "--tiers", "replay", *out]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert (
        "tier of task rb-8 must be one of 'expert', 'genie', 'medium', 'random', 'mixed'"
        in sentence
    )
    assert sentence.endswith("got 'replay'.")


# --------------------------------------------------------------------- several settings
def test_settings_of_an_environment_share_a_pretraining_on_the_others():
    entries = build(DECISIVE, methods=["networld"], tiers=["expert"], seeds=1)
    models = {
        e.task: e.job.inputs["policy"].inputs["model"] for e in played(entries, method="networld")
    }
    assert models["rb-8"].folder == models["rb-9"].folder == models["rb-uneven"].folder
    assert models["cbf-general"].folder == models["cbf-beam"].folder != models["slicing"].folder
    for task, first in (("rb-uneven", {"cbf-general", "slicing"}), ("slicing", {"rb-8",
                                                                     "cbf-general"})):  # fmt: skip
        assert models[task].inputs.keys() == {f"data-{name}" for name in first}


def test_the_best_local_rule_is_always_played_where_a_task_names_it():
    entries = build(DECISIVE, tasks=["rb-uneven"], methods=["bc"], tiers=["rule"])
    assert one(entries, method="local").settings["policy"] == "demand-mean"
    assert one(entries, method="rule").settings["policy"] == "rule"


def test_an_unknown_reference_is_refused():
    with pytest.raises(ValueError, match="unknown reference 'best'; there are random, medium"):
        TaskSetup("rb", "rb-v0", None, 10, references=("best",))


# ------------------------------------------------------------------------ the published
def test_the_published_method_is_the_one_of_the_paper():
    row = JUDGING["networld-published"]
    model = get_preset("paper", parse_options(row.model)).model
    assert len(model.multipliers) == 4
    assert model.blocks_per_level == 1
    weights = {name: getattr(model, name) for name in vars(model) if name.endswith("_weight")}
    assert {name for name, weight in weights.items() if weight} == {
        "diffusion_weight", "classifier_weight", "inverse_weight", "first_step_weight",
    }  # fmt: skip
    assert {weight for weight in weights.values() if weight} == {1.0}
    assert (model.prediction, model.decode, model.discrete_head) == ("noise", "mean", "bins")
    assert (model.targets, model.communication) == ("two-hot", "mean")
    plan = PlannerConfig(**row.plan)
    assert (plan.sampler, plan.plan_mode, plan.temperature) == ("ddpm", "guide", 1.0)
    assert plan.steps == model.diffusion_steps, "every step of the schedule"
    assert get_preset("demo", parse_options(row.options)).adaptation.body_factor == 0.1


def test_the_published_method_is_pretrained_tuned_and_played_by_itself():
    protocol = dataclasses.replace(
        SMOKE,
        ablations=("networld-published",),
        model_options={"networld-published": ("channels=8",)},
    )
    job = one(build(protocol), task="rb", method="networld-published")
    adapted = job.inputs["policy"]
    assert job.settings["plan"] == adapted.settings["plan"] == JUDGING["networld-published"].plan
    assert adapted.settings["options"][-1] == "body_factor=0.1"
    pretrained = adapted.inputs["model"]
    assert pretrained.name == "pretrain-rb-networld-published-s0"
    assert pretrained.settings["options"][-1] == "channels=8"
    assert "body_factor=0.1" not in pretrained.settings["options"]
    # What a budget reduces stands in the place of the paper's.
    (job,) = {
        e.job.inputs["policy"].inputs["model"].key: e.job.inputs["policy"].inputs["model"]
        for e in played(build(DECISIVE, seeds=1), task="rb-8", method="networld-published")
    }.values()
    names = [pair.partition("=")[0] for pair in job.settings["options"]]
    assert len(set(names)) == len(names)
    assert parse_options(job.settings["options"])["multipliers"] == (1, 1, 2, 2)
    # All others are tuned as ever.
    assert "plan" not in one(build(SMOKE), task="rb", method="dt").inputs["policy"].settings


# -------------------------------------------------------------------- draws and worlds
def test_every_training_seed_draws_its_own_trajectories_if_asked_to():
    entries = build(DECISIVE, tasks=["rb-8"], tiers=["mixed"], seeds=3)
    for e in played(entries, tier="mixed"):
        assert e.job.inputs["policy"].settings["draw"] == e.seed
    plain = [job for job in with_inputs(e.job for e in build(SMOKE)) if "draw" in job.settings]
    assert not plain


def test_fresh_worlds_are_neither_old_ones_nor_those_of_validation():
    fresh = set(block_seeds("decisive", 1_000))
    assert fresh <= set(TEST_SEEDS)
    assert not fresh & set(VALIDATION_SEEDS)
    # What `evaluate` plays by default, in a hundred groups.
    assert min(fresh) > TEST_SEEDS.start + 100_000
    assert all(e.job.settings["test_block"] == "decisive" for e in build(DECISIVE))
    assert not any("test_block" in e.job.settings for e in build(SMOKE))


# ------------------------------------------------------------------------- the preset
@pytest.mark.parametrize("name", ["decisive", "decisive-smoke"])
def test_all_rows_are_trained_on_all_tiers_few_against_many(name):
    protocol = PRESETS[name]
    ours = ("networld", "networld-scratch", "networld-published", "networld-behaviour-head",
            "networld-random-direction", "networld-no-values")  # fmt: skip
    theirs = (*BASELINES, *WITH_MEAN_FIELD)
    assert set(protocol.methods) == {*ours, *theirs}
    for method in protocol.methods:
        found = cells(protocol, [method])
        amount = protocol.few if method in ours else protocol.many
        wanted = {(tier, amount, s) for tier in TIERS_OF_DATA for s in range(protocol.seeds)}
        if method == "networld":
            # Beside the claim, on as much as the baselines have, where values are learnt from it.
            wanted |= {(t, protocol.many, s) for t, _, s in wanted if t != "expert"}
        assert {(c.tier, c.amount, c.seed) for c in found} == wanted


@pytest.mark.parametrize("name", ["decisive", "decisive-smoke"])
def test_all_methods_choose_their_weights_by_a_held_out_trajectory(name):
    jobs = with_inputs(e.job for e in build(PRESETS[name]))
    fits = [job for job in jobs if job.kind == "fit"]
    assert fits
    without = [job for job in fits if "held_out=True" not in job.settings["options"]]
    assert bool(without) == (name == "decisive")
    # What a search found: values of a rule's data, whose loss grows while they get better.
    assert all("held_out=False" in job.settings["options"] for job in without)
    assert {job.settings["method"] for job in without} <= {"cql", "iql"}
    assert {job.inputs["data"].settings["policy"] for job in without} <= {"rule", "replay"}
    assert all(job.settings["snapshots"] == 0 for job in fits)


def test_values_are_learnt_of_all_data_but_the_experts_by_networlds_own_network_alone():
    for e in played(build(DECISIVE, seeds=1)):
        fitted = e.job.inputs.get("policy")
        if fitted is None or fitted.kind == "fit":
            continue
        learns = e.tier != "expert" and e.method != "networld-published"
        assert ("values" in fitted.settings) == learns, e
        if learns:
            alone = e.task.startswith(("cbf", "slicing"))
            assert ("gamma=0" in fitted.settings["values"]) == alone
    for entry in build(
        DECISIVE, methods=["networld", "networld-no-values"], seeds=1, amounts=["10"]
    ):
        if entry.method == "networld-no-values":
            assert entry.job.settings["plan"] == {"value_scale": 0.0}
            same = one(build(DECISIVE), task=entry.task, method="networld", tier=entry.tier,
                       amount="10", seed=0)  # fmt: skip
            assert entry.job.inputs["policy"].key == same.inputs["policy"].key
    with pytest.raises(ValueError, match="unknown task of values 'lte'"):
        dataclasses.replace(SMOKE, values={"lte": ()})


def test_decisive_tests_are_long():
    for e in build(DECISIVE, tiers=["expert"], seeds=1):
        assert e.job.settings["steps"] == (500 if e.task == "slicing" else 1_000)


@pytest.mark.parametrize("name", PRESETS)
def test_no_job_is_given_an_option_twice(name):
    for job in with_inputs(e.job for e in build(PRESETS[name], seeds=1)):
        names = [pair.partition("=")[0] for pair in job.settings.get("options", ())]
        assert len(set(names)) == len(names), job.name


@pytest.mark.parametrize("task", ["rb-8", "cbf-general", "slicing"])
@pytest.mark.parametrize("method", ["cql", "iql"])
def test_options_on_a_rules_data_are_the_best_of_the_shipped_searches(method, task):
    """How often the held-out trajectory is looked at is the preset's own: as often as NetWorld."""
    files = (ROOT / "benchmarks/results/option-search").glob(f"{task}-{method}*.json")
    searches = [json.loads(path.read_text()) for path in sorted(files, key=lambda path: path.stem)]
    best = max(searches, key=lambda found: max(t["reward"] for t in found["trials"]))["best"]
    wanted = {name: best[name] for name in sorted(best) if name not in _NOT_SEARCHED}
    options = parse_overrides(DECISIVE.options_of(method, task, "rule"))
    assert {name: options[name] for name in sorted(options) if name not in _NOT_SEARCHED} == wanted
    assert DECISIVE.options_of(method, task, "replay") == DECISIVE.options_of(method, task, "rule")
    row = next(
        line for line in (ROOT / "docs/baselines.md").read_text().splitlines()
        if line.startswith(f"| `{task}` | MA-{method.upper()} |")
    )  # fmt: skip
    tried = sum(len(found["trials"]) for found in searches)
    first = searches[0]["trials"][0]["reward"]
    most = max(t["reward"] for found in searches for t in found["trials"])
    assert f"| {tried} | {first:.3f} | {most:.3f} |" in row
