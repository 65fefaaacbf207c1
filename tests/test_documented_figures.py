"""Figures of the documentation are those of the committed files that it names."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies import benchmarl_tasks, families
from networld_agent.config import PRESETS, TrainingConfig

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def page(name):
    """The text of a page, on one line."""
    return " ".join((ROOT / "docs" / name).read_text().split())


def read(path):
    return json.loads((RESULTS / path).read_text())


def test_the_page_of_the_model_names_the_levels_of_its_presets():
    levels = {name: len(PRESETS[name].model.multipliers) for name in ("demo", "cpu", "paper")}
    assert levels == {"demo": 3, "cpu": 3, "paper": 4}
    assert "presets `demo` and `cpu` have three levels, `paper` four" in page("networld.md")


def test_the_page_of_the_model_names_the_learning_rate_of_shared_weights():
    assert f"`body_factor` ({TrainingConfig().body_factor:g}) times" in page("networld.md")


def test_the_diagnosis_on_the_results_page_is_that_of_its_files():
    text = page("results-cpu.md")
    section = text[text.index("Eight steps ahead") :]
    plans, errors = re.search(
        r"The mean of (\d+) plans .*? has errors of (.*?),? above", section
    ).groups()
    stated = [float(x) for x in re.findall(r"\d\.\d+", errors)]
    names = ("cbf", "slicing", "rb")
    found = [read(f"diagnostics/{name}.json") for name in names]
    for document, error in zip(found, stated, strict=True):
        assert f"--samples {plans} " in document["about"][0]
        measured = document["tasks"][0]["prediction_errors"]["world model"][-1]
        assert measured == pytest.approx(error, abs=0.005)
    one_step = [d["tasks"][0]["prediction_errors"]["world model, one step"][-1] for d in found]
    for error, name in zip(one_step, (" 0.44 ", " 0.64 ", " 1.01 "), strict=True):
        assert error == pytest.approx(float(name), abs=0.005)
        assert name in section


def test_the_table_of_dima_in_wireless_tasks_is_that_of_its_file():
    document = read("dima-wireless.json")
    table = (ROOT / "docs" / "dima.md").read_text()
    for env in ("slicing-v0", "cbf-v0", "rb-v0"):
        line = re.search(rf"^\| `{env}` \| ([\d.]+ \(.*)$", table, re.MULTILINE)
        cells = [cell.strip() for cell in line.group(1).split("|")]
        for method, score, seconds in (("dima", cells[0], cells[1]), ("mappo", cells[2], cells[3])):
            rows = [r for r in document["rows"] if (r["env"], r["method"]) == (env, method)]
            by_seed = [r["score"] for r in sorted(rows, key=lambda r: r["seed"])]
            mean, *each = (float(x) for x in re.findall(r"[\d.]+", score))
            assert each == pytest.approx(by_seed, abs=0.051)
            assert mean == pytest.approx(sum(by_seed) / len(by_seed), abs=0.051)
            known = [r["cpu_seconds"] for r in rows if r.get("cpu_seconds")]
            assert float(seconds.split()[0]) == pytest.approx(sum(known) / len(known), abs=0.6)
            assert (len(known) < len(rows)) == ("not recorded" in seconds)


def test_the_curves_of_halfcheetah_end_where_the_page_says():
    text = page("dima.md")
    dima, random, mappo, best = (
        float(x.replace(",", ""))
        for x in re.search(
            r"returns ([\d,]+) \(random (-?\d+)\); our MAPPO (\d+) at the end and ([\d,]+) at best",
            text,
        ).groups()
    )
    document = read("halfcheetah-curves.json")
    curves = {row["method"]: [p["value"] for p in row["curve"]] for row in document["rows"]}
    assert curves["dima-online"][-1] == pytest.approx(dima, abs=1)
    assert (curves["mappo"][-1], max(curves["mappo"])) == pytest.approx((mappo, best), abs=1)
    assert document["random"] == pytest.approx(random, abs=1)


def test_the_table_of_the_demo_is_that_of_its_file():
    text = (ROOT / "docs" / "getting-started.md").read_text()
    with (RESULTS / "demo" / "scores.csv").open() as file:
        rows = {(r["task"], r["method"], r["amount"]): r for r in csv.DictReader(file)}
    labels = {
        r"\*\*NetWorld\*\*": ("networld", "10"), "NetWorld, not": ("networld-scratch", "10"),
        "MA-BC": ("bc", "60"), "MA-CQL": ("cql", "60"), "MA-IQL": ("iql", "60"),
        "MA-DT": ("dt", "60"), "MA-DD": ("dd", "60"), "best rule": ("heuristic", ""),
    }  # fmt: skip
    for label, (method, amount) in labels.items():
        cells = re.search(rf"^\| {label}[^|]*\|([^|]*)\|(.*)\|$", text, re.MULTILINE).groups()
        assert cells[0].strip() == amount
        for task, cell in zip(("rb", "cbf", "slicing"), cells[1].split("|"), strict=True):
            row, stated = (
                rows[task, method, amount],
                [float(x) for x in re.findall(r"[\d.]+", cell)],
            )
            names = ("score", "score_low", "score_high")[: len(stated)]
            assert stated == pytest.approx([float(row[name]) for name in names], abs=0.051)


def test_the_table_of_values_of_actions_is_that_of_its_files():
    text = (ROOT / "docs" / "planning.md").read_text()
    with_values, without = (
        {row["method"]: row for row in read(f"action-values/{name}.json")["rows"]}
        for name in ("rb", "rb-without")
    )
    for label, row in (
        ("rule of the data", with_values["rule (demand)"]),
        ("NetWorld without values", without["networld"]),
        ("NetWorld with values", with_values["networld"]),
        ("`mean-field`, the best rule", with_values["mean-field"]),
        ("expert", with_values["expert"]),
    ):
        line = re.search(rf"^\| {label} \|(.*)\|$", text, re.MULTILINE).group(1)
        stated = [float(x) for x in re.findall(r"-?[\d.]+", line)]
        assert stated == pytest.approx([row["reward"], *row["reward_interval"]], abs=0.0051)
    rule, ours, expert = (
        with_values[name]["reward"] for name in ("rule (demand)", "networld", "expert")
    )
    share = int(re.search(r"That is (\d+) % of the way", text).group(1))
    assert share == pytest.approx(100 * (ours - rule) / (expert - rule), abs=0.51)
    for task, name, rule, half in (
        ("beamforming", "cbf", "rule (greedy)", 0.0051),
        ("slicing", "slicing", "rule (hard)", 0.00051),
    ):
        found = {row["method"]: row for row in read(f"action-values/{name}.json")["rows"]}
        cells = re.search(rf"^\| \[{task}\]\([^)]*\) \|(.*)\|$", text, re.MULTILINE).group(1)
        *cells, share = cells.split("|")
        played = [found[method] for method in (rule, "networld", "expert")]
        for cell, row in zip(cells, played, strict=True):
            stated = [float(x) for x in re.findall(r"-?[\d.]+", cell)]
            assert stated == pytest.approx([row["reward"], *row["reward_interval"]], abs=half)
        rule, ours, expert = (row["reward"] for row in played)
        way = 100 * (ours - rule) / (expert - rule)
        assert int(share.strip(" %")) == pytest.approx(way, abs=0.51)


def test_the_speeds_inside_libraries_are_those_of_the_file():
    text = page("integrations.md")
    speeds = {row["name"]: row["per_cpu_second"] for row in read("libraries.json")["speeds"]}
    tasks = ("rb-v0", "cbf-v0", "slicing-v0")
    for row, name in {
        "`WirelessEnv`, 256 at once": "TorchRL and BenchMARL, WirelessEnv 0.14.1",
        "`PettingZooWrapper`": "TorchRL, PettingZooWrapper 0.14.1",
        "an agent is an environment": "Stable-Baselines3, SuperSuit 2.9.2",
        "(#stable-baselines3-joint)": "Stable-Baselines3, joint 2.9.2",
        "(#rllib)": "RLlib, ParallelPettingZooEnv 2.60.0",
        "(#tianshou)": "Tianshou, PettingZooEnv 2.0.1",
    }.items():
        cells = re.search(rf"{re.escape(row)} \|.*?\|.*?\| (.*?) \| (.*?) \| (.*?) \|", text)
        measured = [f"{speeds[f'{task} {name}']:,.0f}" for task in tasks]
        assert list(cells.groups()) == measured, row
    native, wrapper = (
        [speeds[f"{task} TorchRL{kind} 0.14.1"] for task in tasks[:2]]
        for kind in (" and BenchMARL, WirelessEnv", ", PettingZooWrapper")
    )
    gains = [f"{a / b:,.0f}" for a, b in zip(native, wrapper, strict=True)]
    assert f"{gains[0]} times the steps of the wrapper in RB and {gains[1]} times in CBF" in text


def test_the_table_beside_benchmarl_is_that_of_its_command(capsys):
    text = (ROOT / "docs" / "integrations.md").read_text()
    assert benchmarl_tasks.main(["--report", "--pieces", str(RESULTS / "benchmarl")]) == 0
    printed = capsys.readouterr().out.strip()
    assert len(printed.splitlines()) == 2 + 3 * 6
    assert printed in text


def test_the_scores_over_families_are_those_of_their_pieces(tmp_path, capsys):
    """The command of the page, which reads every piece and makes none."""
    text = (ROOT / "docs" / "deployments.md").read_text()
    command = next(line for line in text.splitlines() if "benchmarks.studies.families" in line)
    words = command.split()[3:]
    words[words.index("--out") + 1] = str(tmp_path / "runs")
    words[words.index("--pieces") + 1] = str(RESULTS / "families")
    assert families.main(words[: words.index("--png")]) == 0
    assert not (tmp_path / "runs").exists()
    printed = capsys.readouterr().out.splitlines()
    section = text[text.index("## Networks that were never seen") :]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 14 + 9
    for row in rows:
        assert row in printed


def test_the_scores_by_seed_over_families_are_those_of_their_pieces():
    text = page("deployments.md")

    def score(split, method, seed):
        rewards, random, expert = (
            np.mean(read(f"families/rb-cpu-{split}-{name}.json")["rewards"])
            for name in (f"{method}-s{seed}", "random", "bayes")
        )
        return f"{100 * (rewards - random) / (expert - random):.1f}"

    cloned = [score("test", "bc", seed) for seed in (1, 0)]
    assert f"MA-BC scores {cloned[0]} with one seed and {cloned[1]} with the other" in text
    large = [score("beyond-size", "networld", seed) for seed in (0, 1)]
    assert f"(one seed at {large[0]}, one at {large[1]})" in text
    for method in ("networld", "networld-attention"):
        for seed in (0, 1):
            assert float(score("test", method, seed)) > 94.8  # "both seeds of both are above it"


def test_the_results_page_repeats_its_files_and_the_other_pages():
    text = (ROOT / "docs" / "results.md").read_text()
    expert, rule = (
        {
            row["method"]: row
            for row in csv.DictReader((RESULTS / f"decisive/above-rules-{tier}.csv").open())
        }
        for tier in ("expert", "rule")
    )
    assert len(expert) == 21
    for name, row in expert.items():
        other = rule[name]
        cells = [name, row["data"]]
        cells += [place[task] for task in ("rb-8", "cbf-general") for place in (row, other)]
        cells.append(other["slicing"])
        assert f"| {' | '.join(cells)} |" in text
    verdicts = {}
    for row in csv.DictReader((RESULTS / "decisive/claim.csv").open()):
        if row["against"].startswith("MA-"):
            verdicts.setdefault((row["task"], row["data"]), []).append(row["NetWorld is"])
    for task in ("rb-8", "slicing"):
        assert verdicts[task, "rule"] == ["above"] * 10, "the claim holds there"
    counts = Counter(verdicts["cbf-general", "rule"]), Counter(verdicts["cbf-general", "expert"])
    assert counts == ({"above": 7, "undecided": 3}, {"below": 8, "undecided": 2})
    assert verdicts["rb-8", "expert"] == ["above"] * 5 + ["undecided"] * 5
    for row in csv.DictReader((RESULTS / "decisive/worth.csv").open()):
        if row["part"] != "all beyond the paper":
            assert f"{row['reward gained by it [95 %]']}, {row['it is']}" in text
    way = {}
    for task in ("rb-8", "slicing", "cbf-general"):
        ours, data = (float(rule[n][task].split()[0]) for n in ("NetWorld", "data's rule"))
        way[task] = f"{100 * (ours - data) / (100 - data):.0f} %"
    assert f"{way['rb-8']} and {way['slicing']} of the way" in text
    assert f"It is {way['cbf-general']} of the way" in text
    # Of values and deployments: rows as on pages whose figures are compared with files.
    section = text[text.index("## Better than the data") : text.index("## The decisive")]
    for name in ("planning.md", "deployments.md"):
        figures = set(re.findall(r"-?[\d.]+ \[[^\]]+\]", page(name)))
        section = re.sub(
            r"-?[\d.]+ \[[^\]]+\]", lambda m, f=figures: "" if m[0] in f else m[0], section
        )
    assert not re.findall(r"\d \[-?\d", section)
