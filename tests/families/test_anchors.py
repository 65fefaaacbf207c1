"""Experts stand above every rule, in every split; the command that says so."""

import json

import numpy as np
import pytest

from wirelessenvs.command import Progress
from wirelessenvs.families import FAMILIES, anchors, deployments
from wirelessenvs.families.anchors import Anchors, anchors_of, measure, rewards

SPLITS = [(name, split) for name, family in FAMILIES.items() for split in family.splits]


def quiet():
    return Progress("deployments")


@pytest.mark.long
@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_the_expert_is_above_every_rule_in_every_split(name, split):
    """By more than two standard errors over deployments, with all on the same seeds."""
    family = FAMILIES[name]
    _, episodes, steps = anchors.DEFAULT_SIZE[name]
    # The largest cells take most of the time and have the clearest margin.
    count = 16 if name == "rb" else 8
    result = measure(family, split, count, episodes, steps, quiet())
    for rule in family.rules:
        ahead, error = result.margin(rule)
        assert ahead > 2 * error, (rule, ahead, error)
    bound = result.of(family.bound) - result.of(family.expert)
    assert bound.mean() > 0


def test_the_expert_of_the_clusters_is_above_every_rule_in_the_first_deployments():
    family = FAMILIES["rb"]
    result = measure(family, "test", 6, 8, 300, quiet())
    for rule in family.rules:
        assert result.margin(rule)[0] > 0, rule
    assert result.best_rule == "expert"
    assert result.best_local_rule in ("demand", "demand-mean")


def test_rules_and_experts_do_not_look_ahead():
    for family in FAMILIES.values():
        policies = family.task.policies
        assert {*anchors_of(family)} <= policies.keys()
        for name in (*family.rules, family.expert):
            assert policies[name].information in ("local", "neighbors", "central")
        assert policies[family.bound].information in ("genie", "clairvoyant")
        # All that there are, but for other names of the expert's own rule.
        fair = {
            n for n, p in policies.items() if p.information in ("local", "neighbors", "central")
        }
        assert fair - {*family.rules} <= {family.expert, "coordinate-ascent"}


def test_margins_are_paired_by_deployment():
    family = FAMILIES["cbf"]
    table = np.arange(12.0).reshape(2, 6)
    table[:, anchors_of(family).index("expert")] = [10.0, 20.0]
    result = Anchors(family, "test", table)
    assert result.of("sweep").tolist() == [1.0, 7.0]
    assert result.best_local_rule == "sweep"
    assert result.best_rule == "fp-causal-warm"
    assert result.margin("sweep") == (11.0, 2.0)


def test_the_command_prints_a_table_and_writes_all_rewards(tmp_path, capsys):
    path = tmp_path / "rb.json"
    arguments = ["rb", "--split", "test", "--split", "beyond-size", "--deployments", "2"]
    arguments += ["--episodes", "2", "--steps", "20", "--json", str(path)]
    assert anchors.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| policy | knows | test | beyond-size |" in printed
    assert "expert ahead of best rule" in printed
    document = json.loads(path.read_text())
    site = deployments("rb", "test")[1]
    assert document["rewards"]["test"][1] == rewards(site, document["policies"], 2, 20)
    column = np.mean(document["rewards"]["beyond-size"], 0)[document["policies"].index("bayes")]
    assert "| bayes (expert) | central | " in printed
    assert f"{column:.2f}" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lte"], "family must be one of 'rb', 'cbf', 'slicing'"),
        (["rb", "--split", "tests"], "split of family 'rb' must be one of 'train'"),
        (["rb", "--deployments", "1"], "--deployments must be at least 2"),
        (["rb", "--steps", "0"], "--steps must be at least 1"),
        (["rb", "--json", "no/such/folder/x.json"], "does not exist"),
    ],
)
def test_faults_end_in_one_sentence_and_status_two(arguments, sentence, capsys):
    assert anchors.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error
