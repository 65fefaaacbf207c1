"""Scores over the deployments of a family: what they are counted from, resumed and refused."""

import json

import numpy as np
import pytest
import torch
from tiny_models import RB, tiny_model

from networld_agent.documents import read_document, write_document
from networld_agent.evaluate import main
from networld_agent.evaluation import deployments as module
from networld_agent.evaluation.deployments import FamilyScores, Method, score_deployments
from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import PlannerPlayer, PolicyPlayer
from networld_agent.evaluation.seeds import VALIDATION_SEEDS
from networld_agent.model import ActionSpec, TaskSpec, WorldModel
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.worlds.make import deployment_worlds
from wirelessenvs import deployments
from wirelessenvs.families import FAMILIES
from wirelessenvs.families.anchors import Anchors, local_rules

torch.set_num_threads(1)
SITES = deployments("rb", "test")[:3]
SIZE = {"episodes": 2, "steps": 12, "warm_up": 3}
LOCAL = ["random", "round-robin", "demand", "demand-mean", "hysteresis"]


def command(*words, chosen="3", split="test"):
    return main(["--family", "rb", "--split", split, "--deployments", chosen, "--device", "cpu",
                 "--episodes", "2", "--steps", "12", "--warm-up", "3", "--plan", "steps=2",
                 *map(str, words)])  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model().save(tmp_path_factory.mktemp("models") / "rb")


# ---------------------------------------------------------------------------------- the scores
def test_rewards_are_those_of_each_deployment_on_the_same_seeds():
    planner = Planner(tiny_model(), config=PlannerConfig(steps=2))
    methods = {"networld": Method(lambda worlds: PlannerPlayer(planner))}
    scores = score_deployments(SITES, methods, ["maxweight"], **SIZE)
    assert list(scores.information) == ["networld", *LOCAL, "maxweight", "bayes"]
    assert len({site.config.num_nodes for site in SITES}) > 1
    for row, site in enumerate(SITES):
        worlds = deployment_worlds(site, 2, 15, {})
        for player in (PlannerPlayer(planner), PolicyPlayer(worlds, "maxweight")):
            played = play(worlds, player, [1_000_000, 1_000_001], 12, 3)
            assert scores.anchors.of(player.name)[row] == played.rewards.mean()


def test_scores_are_ratios_of_means_between_the_best_local_rule_or_random_and_the_expert():
    names = ("networld", *LOCAL, "expert", "bayes")
    table = np.array([
        # At the last deployment the expert has no room: its own ratio would be infinite.
        [5.0, 0.0, -9.0, 1.0, 2.0, -9.0, 9.0, 10.0],
        [8.0, 0.0, -9.0, 9.0, 4.0, -9.0, 9.0, 12.0],
        [3.0, 0.0, -9.0, -9.0, 3.0, -9.0, 9.0, 3.0],
    ])  # fmt: skip
    anchors = Anchors(FAMILIES["rb"], "test", table, names)
    scores = FamilyScores(SITES, anchors, dict.fromkeys(names, "local"))
    assert anchors.best_local_rule == "demand-mean"
    rows = {row.method: row for row in scores.rows}
    row = rows["networld"]
    assert row.over_rule == pytest.approx(100 * (16 - 9) / (25 - 9))
    assert row.over_random == pytest.approx(100 * 16 / 25)
    assert (rows["demand-mean"].over_rule, rows["bayes"].over_rule) == (0, 100)
    assert (rows["random"].over_random, rows["bayes"].over_random) == (0, 100)
    assert row.over_random_interval[0] <= row.over_random <= row.over_random_interval[1]
    assert rows["bayes"].over_random_interval == pytest.approx((100, 100))
    single = scores.site_scores(1)
    assert single["networld"]["over_rule"] == pytest.approx(50)
    assert single["networld"]["over_random"] == pytest.approx(100 * 8 / 12)
    assert np.isnan(scores.site_scores(2)["networld"]["over_rule"])


def test_local_rules_are_those_that_declare_it():
    assert list(local_rules(FAMILIES["rb"])) == LOCAL
    for family in FAMILIES.values():
        assert "random" in local_rules(family)
        assert family.expert not in local_rules(family)


# ------------------------------------------------------------------------------ file and resume
def test_the_command_writes_every_deployment_with_its_quantities(folder, tmp_path, capsys):
    path = tmp_path / "scores.json"
    assert command("--model", folder, "--policies", "maxweight", "--out", path) == 0
    printed = capsys.readouterr().out
    document = json.loads(path.read_text())
    for record, site in zip(document["deployments"], SITES, strict=True):
        assert record["index"] == site.index
        assert record["quantities"] == site.quantities
        assert record["agents"] == site.config.num_nodes
        assert list(record["rewards"]) == ["networld", *LOCAL, "maxweight", "bayes"]
        assert record["scores"]["bayes"] == {"over_rule": 100, "over_random": 100}
    rule = document["best_local_rule"]
    means = {name: np.mean([r["rewards"][name] for r in document["deployments"]])
             for name in ("networld", rule, "bayes")}  # fmt: skip
    row = document["summary"][0]
    expected = 100 * (means["networld"] - means[rule]) / (means["bayes"] - means[rule])
    assert row["over_rule"] == pytest.approx(expected)
    assert f"| {rule} (best local rule) | local |" in printed
    assert "| bayes (expert) | central |" in printed
    assert "| networld | neighbors |" in printed


def test_tuning_plays_validation_deployments_alone(tmp_path, monkeypatch, capsys):
    path = tiny_model().save(tmp_path / "model")
    played = []

    def recorded(worlds, player, seeds, *rest):
        counted = play(worlds, player, seeds, *rest)
        config = player._planner.config
        setting = config.temperature, config.guidance_scale, config.steps
        played.append((setting, worlds.simulator.config, tuple(seeds), counted.rewards.mean()))
        return counted

    monkeypatch.setattr("networld_agent.evaluation.tuning.play", recorded)
    words = ["--tune-guidance", "--tune-deployments", "3", "--tune-steps", "9"]
    assert command("--model", path, *words, chosen="1") == 0
    configs = [site.configure(max_steps=12) for site in deployments("rb", "validation")[:3]]
    assert [entry[1] for entry in played] == configs * (len(played) // 3)
    assert {entry[2] for entry in played} == {(VALIDATION_SEEDS.start,)}
    # Every deployment counts alike, and the best setting is stored.
    means = {}
    for setting, _, _, reward in played:
        means.setdefault(setting, []).append(reward)
    assert {len(rewards) for rewards in means.values()} == {3}
    task = WorldModel.load(path).task("rb-v0")
    printed = capsys.readouterr().out
    assert "1 validation episodes of 9 steps at each of 3 validation deployments" in printed
    kept = means[task.temperature, task.guidance_scale, 2]
    assert f"| {np.mean(kept):.4f} |" in printed
    for words in (["--tune-deployments", "0"], ["--tune-steps", "0"]):
        assert command("--model", path, "--tune-guidance", *words, chosen="1") == 2
        assert f"error: {words[0]} must be at least 1, got 0" in capsys.readouterr().err


def test_a_stopped_run_goes_on_where_it_was(folder, tmp_path, monkeypatch, capsys):
    words = "--model", folder, "--policies"
    paths = [tmp_path / "whole.json", tmp_path / "stopped.json"]
    assert command("--out", paths[0], *words) == 0
    played = []
    original = module.play

    def stopping(worlds, player, *arguments):
        played.append((len(worlds.agents), player.name))
        if len(played) == 12:  # of 7 at each deployment
            raise KeyboardInterrupt
        return original(worlds, player, *arguments)

    monkeypatch.setattr(module, "play", stopping)
    assert command("--out", paths[1], *words) == 130
    assert len(json.loads(paths[1].read_text())["deployments"]) == 1
    assert command("--out", paths[1], *words) == 0
    assert len(played) == 12 + 14
    assert paths[1].read_bytes() == paths[0].read_bytes()
    assert command("--out", paths[1], *words) == 0
    assert len(played) == 12 + 14
    assert paths[1].read_bytes() == paths[0].read_bytes()
    capsys.readouterr()
    for change, sentence in (
        (["--steps", "13"], "settings.steps is 12 there, 13 here."),
        (["--plan", "temperature=0.3"], "networld.plan.temperature is None there, 0.3 here."),
        (["--deployments", "1:4"], "settings.deployments[0] is 0 there, 1 here."),
        (["--set", "context=true", "--policies", "all"], "settings.overrides.context is None"),
    ):
        assert command("--out", paths[1], *words, *change) == 2
        assert sentence in one_sentence(capsys)


def test_a_model_learnt_anew_has_no_results_yet(folder, tmp_path, capsys):
    path, words = tmp_path / "scores.json", ("--policies", "--out")
    assert command("--model", folder, *words, path) == 0
    other = tiny_model(seed=1).save(tmp_path / "other")
    capsys.readouterr()
    assert command("--model", other, *words, path) == 2
    assert "settings.methods.networld.model is" in one_sentence(capsys)


# ----------------------------------------------------------------------------------- bad input
def one_sentence(capsys):
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(("words", "sentence"), [
    (["--family", "lte"], "family must be one of 'rb', 'cbf', 'slicing'"),
    (["--split", "tests"], "--split must be one of 'train', 'validation'"),
    (["--deployments", "99999999"], "--deployments takes a number"),
    (["--episodes", "0"], "--episodes must be at least 1"),
    (["--steps", "0"], "--steps must be at least 1"),
    (["--num-envs", "0"], "--num-envs must be at least 1"),
    (["--warm-up", "-1"], "--warm-up must be at least 0"),
    (["--policies", "best"], "--policies must be one of"),
    (["--policies", "no_module:Rule"], "no_module"),
    (["--set", "num_nodes=5"], "num_nodes is fixed by deployment rb/test/0"),
    (["--sweep", "steps=1"], "--sweep needs a --model"),
    (["--model", "nothing"], "no such folder"),
    (["--out", "nowhere/x.json"], "does not exist"),
])  # fmt: skip
def test_faults_are_one_sentence(words, sentence, capsys):
    assert command(*words) == 2
    assert sentence in one_sentence(capsys)


def test_a_model_must_know_the_task_and_what_its_agents_see(folder, tmp_path, capsys):
    slicing = TaskSpec("slicing-v0", 0, 4, ActionSpec("discrete", sizes=(11,)))
    other = tiny_model(slicing).save(tmp_path / "slicing")
    assert command("--model", other) == 2
    assert f"{other}: task must be one of 'slicing-v0', got 'rb-v0'" in one_sentence(capsys)
    assert command("--model", folder, "--set", "context=true") == 2
    assert "4 entries per observation, but these environments give 8: it was trained without the " \
           "context" in one_sentence(capsys)  # fmt: skip
    wide = TaskSpec("rb-v0", 0, 8, RB.action)
    assert command("--model", tiny_model(wide).save(tmp_path / "wide")) == 2
    assert "it was trained with the context, which --set context=true appends" in one_sentence(
        capsys
    )


def test_a_single_environment_is_something_else(capsys):
    for words, sentence in (
        (["--env", "rb-v0"], "argument --env: not allowed with argument --family"),
        (["--render", "x.gif"], "unrecognized arguments: --render x.gif"),
    ):
        with pytest.raises(SystemExit) as stop:
            command(*words)
        assert stop.value.code == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["deployments"][0]["rewards"].pop("demand"), "demand"),
        (lambda d: d["deployments"][0].update(index=9), "another deployment in the place of"),
        (lambda d: d["deployments"][0].update(fingerprint="x"), "another deployment in the place"),
        (lambda d: d.update(deployments=d["deployments"] * 2), "holds 6 deployments of 3"),
        (lambda d: d.pop("deployments"), "deployments"),
    ],
)
def test_records_that_are_not_of_these_deployments_are_refused(change, sentence, tmp_path, capsys):
    out = tmp_path / "scores.json"
    assert command("--policies", "demand", "--out", out) == 0
    document = read_document(out, "file of scores")
    change(document)
    write_document(out, document)
    capsys.readouterr()
    assert command("--policies", "demand", "--out", out) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_an_edited_rule_of_one_s_own_is_another_rule(tmp_path, monkeypatch, capsys):
    code = "from wirelessenvs.rb.policies import Demand, RoundRobin\n\nclass Mine({}):\n    pass\n"
    file = tmp_path / "edited_rule.py"
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "scores.json"
    file.write_text(code.format("Demand"))
    assert command("--policies", "edited_rule:Mine", "--out", out) == 0
    file.write_text(code.format("RoundRobin"))
    capsys.readouterr()
    assert command("--policies", "edited_rule:Mine", "--out", out) == 2
    assert "scores of other settings: settings.methods.edited_rule:Mine" in capsys.readouterr().err


def test_one_deployment_has_no_interval(capsys):
    assert command("--policies", "demand", chosen="1") == 0
    printed = capsys.readouterr().out
    assert "[-]" in printed
    assert "nan" not in printed
    assert command("--policies", "demand", chosen="2") == 0
    assert "nan" not in capsys.readouterr().out


def test_a_model_named_twice_is_refused(folder, capsys):
    assert command("--model", folder, "--model", folder) == 2
    assert "--model names a model twice" in capsys.readouterr().err
