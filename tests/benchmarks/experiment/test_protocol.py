"""The protocol: amounts, cells, presets, and the job graph they make."""

import dataclasses

import pytest

from benchmarks.baselines.dima.offline import OfflineConfig
from benchmarks.experiment.jobs.graph import build
from benchmarks.experiment.jobs.job import with_inputs
from benchmarks.experiment.methods import ABLATIONS, BASELINES, REFERENCES
from benchmarks.experiment.presets import PRESETS
from benchmarks.experiment.protocol import Amount, Cell, cells
from networld_agent.config import PRESETS as NETWORKS
from networld_agent.config import get_preset, parse_options
from networld_agent.planning import PlannerConfig
from wirelessenvs.policy import Information
from wirelessenvs.tasks import get_task

SMOKE = PRESETS["smoke"]


def inputs_of(job):
    return {role: needed.name for role, needed in job.inputs.items()}


def entry(entries, **wanted):
    (found,) = [
        e
        for e in entries
        if e.job.kind == "evaluate" and all(getattr(e, k) == v for k, v in wanted.items())
    ]
    return found


@pytest.mark.parametrize("label", ["10", "100 steps", "1"])
def test_an_amount_is_its_label(label):
    assert Amount.parse(label).label == label


@pytest.mark.parametrize("label", ["", "0", "ten", "10 trajectories", "-1", "1.5"])
def test_other_amounts_are_refused(label):
    with pytest.raises(ValueError, match="an amount of data is like '10' or '100 steps'"):
        Amount.parse(label)


def test_steps_count_as_a_part_of_a_trajectory():
    assert Amount.parse("100 steps").in_trajectories(1_000) == 0.1
    assert Amount.parse("3").in_trajectories(1_000) == 3


def test_cells_of_a_baseline_are_the_main_one_and_the_listed_ones():
    protocol = dataclasses.replace(
        SMOKE, seeds=2, amounts={"baselines": {"expert": ("1", "30 steps"), "mixed": ("4",)}}
    )
    found = cells(protocol, ["bc"])
    assert found == [
        Cell("bc", tier, amount, seed, main)
        for tier, amount, main in (
            ("expert", "30 steps", False), ("expert", "1", False), ("expert", "4", True),
            ("mixed", "4", False),
        )
        for seed in (0, 1)
    ]  # fmt: skip


def test_ablations_take_the_main_amount_and_their_own_seeds():
    protocol = dataclasses.replace(
        SMOKE, seeds=3, ablations=("networld-one-hot", "networld-no-symlog"), ablation_seeds=2
    )
    found = cells(protocol, protocol.ablations)
    assert {(c.method, c.amount) for c in found} == {
        ("networld-one-hot", "2"), ("networld-no-symlog", "2"),
    }  # fmt: skip
    assert {c.seed for c in found} == {0, 1}


def test_a_baseline_with_mean_field_takes_all_seeds_and_only_amounts_of_its_own():
    amounts = {"baselines": {"expert": ("1", "3")}, "bc-mean-field": {"expert": ("2",)}}
    protocol = dataclasses.replace(
        SMOKE, seeds=3, amounts=amounts, ablations=("bc-mean-field", "iql-mean-field")
    )
    found = cells(protocol, protocol.ablations)
    assert {(c.method, c.amount, c.main) for c in found} == {
        ("bc-mean-field", "2", False), ("bc-mean-field", "4", True), ("iql-mean-field", "4", True),
    }  # fmt: skip
    assert {c.seed for c in found} == {0, 1, 2}


@pytest.mark.parametrize("name", PRESETS)
def test_what_trains_centrally_is_a_row_beside_the_claim_at_equal_data(name):
    protocol = PRESETS[name]
    found = {(c.amount, c.tier) for c in cells(protocol) if c.method == "dima"}
    assert found == ({("10", "expert"), ("300", "expert")} if name in ("cpu", "paper") else set())
    assert "dima" not in BASELINES
    few, many = protocol.few, protocol.many
    amounts = {c.amount for c in cells(protocol, ["networld"]) if c.tier == "expert"}
    assert not found or {few, many} <= amounts, "NetWorld is on the same data"


@pytest.mark.parametrize("name", ["cpu", "paper"])
def test_options_of_what_trains_centrally_are_its_own(name):
    for task in PRESETS[name].tasks:
        config = OfflineConfig.from_overrides(PRESETS[name].options_of("dima", task.name))
        assert config.steps > config.model_steps > 0
        assert (config.gamma, config.horizon) == ((0.9, 15) if task.name == "rb" else (0, 1))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_compares_few_trajectories_with_many(name):
    protocol = PRESETS[name]
    assert protocol.name == name
    assert Amount.parse(protocol.few).trajectories < Amount.parse(protocol.many).trajectories
    assert protocol.network in NETWORKS
    get_preset(protocol.network, parse_options(protocol.network_options))
    for ablation in ABLATIONS.values():
        get_preset(protocol.network, parse_options(ablation.model))
        PlannerConfig(**ablation.plan)


@pytest.mark.parametrize("name", ["cpu", "paper"])
def test_full_presets_hold_the_amounts_of_the_experiment(name):
    wanted = {
        "cpu": {"expert": {"100 steps", "1", "10", "300"}, "mixed": {"10", "300"}},
        "paper": {
            "expert": {"100 steps", "500 steps", "1", "3", "10", "30", "100", "300"},
            "mixed": {"10", "300"},
        },
    }[name]
    for method in ("networld", *BASELINES):
        for tier, amounts in wanted.items():
            found = {c.amount for c in cells(PRESETS[name], [method]) if c.tier == tier}
            assert amounts <= found


def test_a_held_out_task_is_not_in_its_pretraining():
    entries = build(SMOKE)
    for task in SMOKE.tasks:
        fitted = entry(entries, task=task.name, method="networld", main=True, size="").job
        adapted = fitted.inputs["policy"]
        data = {job.name for job in adapted.inputs["model"].inputs.values()}
        others = {t.name for t in SMOKE.tasks} - {task.name}
        assert data == {f"collect-{name}-expert" for name in others}
        assert adapted.inputs["data"].name == f"collect-{task.name}-expert"


def test_baselines_see_the_held_out_task_alone():
    for method in BASELINES:
        job = entry(build(SMOKE), task="cbf", method=method).job.inputs["policy"]
        assert inputs_of(job) == {"data": "collect-cbf-expert"}
        assert job.settings["trajectories"] == 4


def test_equal_data_under_two_labels_is_trained_on_once():
    amounts = SMOKE.amounts | {"networld": {"expert": ("20 steps", "40 steps", "1")}}
    entries = build(dataclasses.replace(SMOKE, amounts=amounts))
    part, all_steps, one = (
        entry(entries, task="rb", method="networld", amount=label).job
        for label in ("20 steps", "40 steps", "1")
    )
    assert all_steps.folder == one.folder != part.folder


def test_an_ablation_of_the_planner_plays_the_same_weights():
    entries = build(SMOKE)
    whole = entry(entries, task="rb", method="networld", main=True, size="").job
    without = entry(entries, task="rb", method="networld-no-guidance").job
    assert without.inputs["policy"].folder == whole.inputs["policy"].folder
    assert without.key != whole.key
    assert without.settings["plan"] == {"plan_mode": "none"}


def test_an_ablation_of_the_network_is_pretrained_anew():
    protocol = dataclasses.replace(SMOKE, ablations=("networld-no-symlog",))
    job = entry(build(protocol), task="rb", method="networld-no-symlog").job
    pretrained = job.inputs["policy"].inputs["model"]
    assert "symlog=False" in pretrained.settings["options"]
    assert "symlog=False" not in job.inputs["policy"].settings["options"]


def test_all_methods_play_the_same_test_worlds():
    played = {}
    for e in build(SMOKE):
        if e.job.kind == "evaluate":
            settings = e.job.settings
            how = {k: settings[k] for k in ("env", "preset", "overrides", "episodes", "steps",
                                            "warm_up")}  # fmt: skip
            played.setdefault((e.task, e.size), []).append(how)
    for worlds in played.values():
        assert all(how == worlds[0] for how in worlds)


def test_methods_bring_their_anchors_along():
    entries = build(SMOKE, tasks=["rb"], methods=["bc"])
    assert [e.method for e in entries if e.method in REFERENCES] == ["random", "expert"]


def test_options_are_those_of_the_task_else_of_the_tier_else_common():
    options = {"cql": ("steps=3",), "cql@mixed": ("steps=2",), "cql@slicing": ("steps=1",)}
    protocol = dataclasses.replace(SMOKE, baseline_options=options)
    places = [("rb", "expert"), ("rb", "mixed"), ("slicing", "mixed")]
    found = [protocol.options_of("cql", *place) for place in places]
    assert found == [("steps=3",), ("steps=2",), ("steps=1",)]
    assert protocol.options_of("bc", "rb", "mixed") == ()
    both = dataclasses.replace(
        protocol, baseline_options=options | {"cql@slicing@rule": ("steps=4",)}
    )
    assert both.options_of("cql", "slicing", "rule") == ("steps=4",)
    assert both.options_of("cql", "slicing", "replay") == ("steps=1",)
    trained = entry(build(protocol), task="slicing", method="cql").job.inputs["policy"]
    assert "steps=1" in trained.settings["options"]


@pytest.mark.parametrize("name", PRESETS)
def test_the_best_heuristic_knows_nothing_of_what_is_to_come(name):
    entries = [e for e in build(PRESETS[name]) if e.method == "heuristic"]
    assert {e.task for e in entries} == {task.name for task in PRESETS[name].tasks}
    for e in entries:
        policy = get_task(e.job.settings["env"]).policies[e.job.settings["policy"]]
        assert policy.information in (Information.LOCAL, Information.NEIGHBORS, Information.CENTRAL)
        assert e.job.settings["policy"] not in ("random", "medium", "expert")


def test_the_best_heuristic_plays_every_size():
    entries = build(PRESETS["cpu"])
    sizes = {(e.task, e.size) for e in entries}
    assert {(e.task, e.size) for e in entries if e.method == "heuristic"} == sizes


def test_jobs_come_after_what_they_need():
    jobs = with_inputs(e.job for e in build(SMOKE))
    place = {job.folder: i for i, job in enumerate(jobs)}
    assert len(place) == len(jobs)
    for job in jobs:
        assert all(place[needed.folder] < place[job.folder] for needed in job.inputs.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ablations": ("networld-no-brain",)}, "unknown ablation 'networld-no-brain'; there are"),
        ({"baseline_options": {"ppo": ()}}, "unknown baseline 'ppo'; there are bc, cql"),
        ({"ablations": ("bc",)}, "unknown ablation 'bc'; there are networld-no-guidance"),
        ({"amounts": {"baselines": {"expert": ("lots",)}}}, "got 'lots'"),
        ({"amounts": {"ppo": {}}}, "unknown method 'ppo'"),
        (
            {"amounts": {"bc": {"genie": ("4",)}}},
            "unknown tier of data 'genie'; there are expert, mixed, rule, replay",
        ),
        ({"test_block": "old"}, "test_block must be .*decisive.*, got 'old'"),
        ({"tasks": (SMOKE.tasks[0], SMOKE.tasks[0])}, "needs tasks of two environments"),
        (
            {"model_options": {"networld-published": ()}},
            "unknown ablation of model_options 'networld-published'; there are networld-no-guid",
        ),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"tasks": SMOKE.tasks[:1]}, "needs two tasks"),
    ],
)
def test_a_wrong_protocol_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMOKE, **change)


def test_what_the_claim_needs_has_its_turn_first():
    protocol = dataclasses.replace(SMOKE, seeds=2)
    entries = build(protocol)
    claim = [e.job.kind == "evaluate" and e.main and not e.size for e in entries]
    claim = [c and e.method not in protocol.ablations for c, e in zip(claim, entries, strict=True)]
    first = claim.index(False)
    assert first == sum(claim)
    seeds = [e.seed for e in entries[:first]]
    assert seeds == sorted(seeds)
    assert {e.task for e in entries[:first]} == {task.name for task in protocol.tasks}
    assert all(e.size for e in entries[-len([e for e in entries if e.size]) :])


def test_the_first_seeds_can_be_asked_for_alone():
    protocol = dataclasses.replace(SMOKE, seeds=3)
    assert {e.seed for e in build(protocol, seeds=2)} == {0, 1}
    assert {e.seed for e in build(protocol)} == {0, 1, 2}


def test_some_data_can_be_asked_for_alone():
    amounts = {"networld": {"mixed": ("2",)}}
    protocol = dataclasses.replace(SMOKE, amounts=amounts)
    everything = [e for e in build(protocol) if e.method not in REFERENCES]
    for what, value in (("tier", "mixed"), ("amount", "4")):
        found = build(protocol, **{f"{what}s": [value]})
        part = [e for e in found if e.method not in REFERENCES]
        assert part == [e for e in everything if getattr(e, what) == value]
        assert 0 < len(part) < len(everything)


def test_preferring_good_trajectories_is_one_option_of_training():
    protocol = dataclasses.replace(
        SMOKE,
        amounts={name: {"mixed": ("2",)} for name in ("networld-weighted", "bc-weighted", "bc")},
        ablations=("networld-weighted", "bc-weighted"),
    )
    entries = build(protocol, tasks=["rb"], tiers=["mixed"])
    fits = {
        e.method: e.job.inputs["policy"] for e in entries if e.job.kind == "evaluate" and e.tier
    }
    assert fits.keys() == {"bc", "bc-weighted", "networld-weighted"}
    plain, weighted = (fits[name].settings for name in ("bc", "bc-weighted"))
    option = "trajectory_temperature=0.1"
    assert weighted == {**plain, "options": [*plain["options"], option]}
    assert option in fits["networld-weighted"].settings["options"]
    # What it starts from is NetWorld's own pre-training.
    networld = entry(build(protocol), task="rb", method="networld", size="").job.inputs["policy"]
    assert fits["networld-weighted"].inputs["model"].key == networld.inputs["model"].key
    assert not any(e.main for e in build(protocol) if e.method.endswith("-weighted"))
