"""The report: statistics against hand calculations, and pages of experiments with known results."""

import csv
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from report_cases import LEVELS, write_results

from benchmarks.experiment.jobs.store import RESULT_FILE
from benchmarks.experiment.methods import METHODS
from benchmarks.experiment.reporting import figures
from benchmarks.experiment.reporting.amounts import cloning_tables
from benchmarks.experiment.reporting.comparisons import amount_scores, verdicts
from benchmarks.experiment.reporting.page import write_report
from benchmarks.experiment.reporting.results import read
from benchmarks.experiment.reporting.statistics import (
    Draws,
    difference,
    interquartile_mean,
    mean_reward,
    probability_of_improvement,
    robust_score,
    score,
)
from benchmarks.experiment.reporting.style import COLOURS, MARKERS, colour_of, marker_of, title_of
from benchmarks.report import main
from networld_agent.documents import checksum


# ------------------------------------------------------------------------ statistics
def test_interquartile_mean_drops_a_quarter_on_either_side():
    assert interquartile_mean(np.arange(8.0)) == 3.5
    assert interquartile_mean(np.array([0.0, 0, 5, 7, 100, 9, 6, 0])) == pytest.approx(4.5)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng, covered = np.random.default_rng(0), 0
    for trial in range(200):
        rewards = rng.normal(3.0, 1.0, (1, 40))
        found = mean_reward(Draws(f"trial {trial}", 40, samples=400), "x", rewards)
        covered += found.low <= 3.0 <= found.high
    assert 0.90 <= covered / 200 <= 0.985


def test_worlds_that_are_hard_for_all_are_no_difference():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 100.0, 30)
    ours, theirs = hard + 1.0 + rng.normal(0, 0.1, (2, 30)), hard + rng.normal(0, 0.1, (3, 30))
    found = difference(Draws("task", 30), ("a", ours), ("b", theirs))
    assert 0.8 < found.low < found.value < found.high < 1.2


def test_scores_of_the_anchors_are_certain():
    rng = np.random.default_rng(1)
    random, expert = rng.normal(0, 1, 30), rng.normal(5, 1, 30)
    draws = Draws("task", 30)
    for values, wanted in ((random, 0.0), (expert, 100.0)):
        found = score(draws, "x", values[None], (random, expert))
        assert (found.value, found.low, found.high) == pytest.approx((wanted,) * 3)


def test_training_seeds_widen_the_interval():
    rng = np.random.default_rng(2)
    alike = rng.normal(0, 0.1, (3, 50))
    apart = alike + np.array([[-1.0], [0.0], [1.0]])
    narrow, wide = (mean_reward(Draws("task", 50), "x", values) for values in (alike, apart))
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_probability_of_improvement_counts_pairs_in_the_same_world():
    ours = np.array([[1.0, 5.0], [3.0, 5.0]])
    theirs = np.array([[2.0, 5.0]])
    found = probability_of_improvement(Draws("task", 2), ("a", ours), ("b", theirs))
    # World 0: 0 and 1; world 1: two ties.
    assert found.value == (0 + 1 + 0.5 + 0.5) / 4


def test_scores_without_a_gap_between_the_anchors_are_unknown():
    flat = np.ones(4)
    assert robust_score(Draws("t", 4), "x", flat[None], (flat, flat)).shown(".1f") == "-"


# -------------------------------------------------------------------------- the page
@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    out = write_results(folder / "out")
    assert main(["--out", str(out), "--to", str(folder / "to")]) == 0
    return folder / "to"


def test_a_report_has_figures_tables_and_one_page(page):
    names = {path.name for path in page.iterdir()}
    assert names == {
        "index.html", "report.md", "scores.csv", "amounts.csv", "curves.csv", "claim.csv",
        "nearest.csv", "ablations.csv", "sizes.csv", "curves.png", "amounts.png",
        "pretraining.csv", "pretraining.png", "amounts-expert.csv", "beside-cloning-expert.csv",
        "early-stopping.csv",
    }  # fmt: skip


def test_the_page_needs_no_network(page):
    text = (page / "index.html").read_text()
    assert text.count("data:image/png;base64,") == 3
    assert not re.findall(r"(?:src|href)=.?(?!data:)\w*:?//", text)
    assert "<script" not in text


def test_scores_are_those_of_the_results(page):
    rows = list(csv.DictReader((page / "scores.csv").open()))
    (row,) = [
        r for r in rows
        if (r["task"], r["method"], r["main"], r["size"]) == ("rb", "networld", "1", "")
    ]  # fmt: skip
    assert float(row["score"]) == pytest.approx(90, abs=1.5)
    assert float(row["score_low"]) < float(row["score"]) < float(row["score_high"])
    assert (row["seeds"], row["episodes"], row["parameters"]) == ("3", "20", "1000")
    assert (row["training_cpu_seconds"], row["pretraining_cpu_seconds"]) == ("7", "7")


def test_scores_by_amount_are_those_of_the_results_with_their_seeds(page):
    rows = list(csv.DictReader((page / "amounts-expert.csv").open()))
    known = {
        (r["task"], r["method"], r["amount"]): f"{float(r['score']):.1f}"
        for r in csv.DictReader((page / "scores.csv").open())
        if r["tier"] == "expert" and not r["size"]
    }
    told = {}
    for row in rows:
        for column, cell in row.items():
            if column.endswith(": score [95 %]") and cell != "-":
                amount = column.removesuffix(": score [95 %]")
                if row["method"].startswith(("best heuristic", "expert")):
                    continue
                assert cell.endswith(", n = 3") or "without" in row["method"]
                told[row["task"], row["method"], amount] = cell.split(" ")[0]
    assert {(t, title_of(m), a): score for (t, m, a), score in known.items()} == told
    assert ("rb", "NetWorld", "20 steps") in told


def test_methods_stand_beside_cloning_on_the_same_data(page):
    rows = list(csv.DictReader((page / "beside-cloning-expert.csv").open()))
    known = {
        (r["task"], r["method"], r["amount"]): float(r["score"])
        for r in csv.DictReader((page / "scores.csv").open())
        if r["tier"] == "expert" and not r["size"]
    }
    titles = {title_of(method): method for method in METHODS}
    rows = [row for row in rows if not row["method"].startswith(("best heuristic", "expert"))]
    assert "bc" not in {titles[row["method"]] for row in rows}
    seen = 0
    for row in rows:
        for column, cell in row.items():
            if column.endswith(": score above cloning [95 %]") and cell != "-":
                amount = column.removesuffix(": score above cloning [95 %]")
                ours = known[row["task"], titles[row["method"]], amount]
                difference = ours - known[row["task"], "bc", amount]
                told, seeds = cell.split(", n = ")
                # Of an ablation there are fewer.
                assert seeds == ("2 and 3" if "without" in row["method"] else "3 and 3")
                value, low, high = (float(part.strip("[],")) for part in told.split(" "))
                assert value == pytest.approx(difference, abs=0.06)
                assert low <= value <= high
                seen += 1
    # CQL, IQL, DT and DD on both amounts, NetWorld, from scratch and unguided on the fewer.
    assert seen == 3 * (4 * 2 + 3)


def test_what_prefers_good_trajectories_stands_beside_cloning_that_does(tmp_path):
    experiment = read(write_results(tmp_path / "out"))
    random, expert = experiment.anchors("rb")
    span = expert.mean() - random.mean()
    (bc,) = experiment.find("rb", method="bc", amount="4")
    weighted = [
        dataclasses.replace(bc, method=method, rewards=bc.rewards + points / 100 * span)
        for method, points in (("bc-weighted", 10), ("networld-weighted", 13))
    ]
    experiment = dataclasses.replace(experiment, groups=[*experiment.groups, *weighted])
    cells = {row[1]: row[-1] for row in cloning_tables(experiment)["expert"].rows if row[0] == "rb"}
    assert cells["MA-BC, good trajectories preferred"].startswith("+10.0 ")
    assert cells["NetWorld, good trajectories preferred"].startswith("+3.0 ")


def test_a_claim_that_holds_is_said_to_hold(page):
    text = (page / "report.md").read_text()
    for task in ("Resource blocks", "Coordinated beamforming", "Network slicing"):
        assert f"{task}: holds: NetWorld on 2 is above every baseline on 4" in text
    assert "Not complete" not in text


def test_curves_say_of_how_many_worlds_and_steps_they_are(page):
    """They may end elsewhere than in the tables, and that must be explained where it is seen."""
    text = (page / "report.md").read_text()
    # Episodes of curves and of tests, and steps of both: smoke's numbers.
    assert "Points come from the first 1 test worlds and 2 steps of each" in text
    assert "which come from all 20 worlds and 5 steps." in text


@pytest.mark.parametrize(
    ("scratch", "verdict", "gain"),
    [(4.0, "ahead", 7), (13.0, "behind", -2), (11.0, "undecided", 0)],
)
def test_pretraining_is_compared_seed_by_seed_on_equal_data(tmp_path, scratch, verdict, gain):
    out = write_results(tmp_path / "out", {**LEVELS, "networld-scratch": scratch})
    assert main(["--out", str(out), "--to", str(tmp_path / "to")]) == 0
    rows = list(csv.DictReader((tmp_path / "to" / "pretraining.csv").open()))
    # The amount that both have; NetWorld alone has another.
    assert [(r["task"], r["target data"], r["n"]) for r in rows] == [
        (task, "2", "3") for task in ("rb", "cbf", "slicing")
    ]
    for row in rows:
        assert row["pre-training is"] == verdict
        # Worlds and seeds are the same on both sides, and so is what is drawn of them.
        assert row["reward gained by pre-training [95 %]"] == f"{gain:+d} [{gain:+d}, {gain:+d}]"


@pytest.mark.parametrize(
    ("networld", "sentence"),
    [(9.0, "holds: NetWorld on 2"), (1.0, "does not hold: NetWorld on 2"),
     (4.0, "undecided: NetWorld on 2 is above")],
)  # fmt: skip
def test_verdicts_follow_the_intervals(tmp_path, networld, sentence):
    out = write_results(tmp_path / "out", {**LEVELS, "networld": networld})
    assert all(f": {sentence}" in line for line in verdicts(read(out)))


def test_the_nearest_amount_is_the_first_close_to_the_expert(tmp_path):
    out = write_results(tmp_path / "out", {**LEVELS, "networld": 9.9, "bc": 9.9})
    assert main(["--out", str(out), "--to", str(tmp_path / "to")]) == 0
    rows = {r["method"]: r for r in csv.DictReader((tmp_path / "to" / "nearest.csv").open())}
    assert rows["NetWorld"]["mean of tasks"] == "2"
    assert rows["MA-BC"]["mean of tasks"] == "4"
    assert rows["MA-CQL"]["mean of tasks"] == "not reached"


def test_missing_results_are_named_and_the_rest_is_shown(tmp_path, capsys):
    out = write_results(tmp_path / "out", leave_out=("dd", "genie"))
    assert main(["--out", str(out), "--to", str(tmp_path / "to")]) == 0
    assert "results are missing." in capsys.readouterr().out
    text = (tmp_path / "to" / "report.md").read_text()
    assert "evaluate-rb-dd-expert-2-s0" in text
    assert "baselines missing: 1" in text
    assert "| MA-IQL |" in text


def test_without_anchors_there_are_no_scores_but_rewards(tmp_path):
    out = write_results(tmp_path / "out", leave_out=("expert",))
    experiment = read(out)
    assert amount_scores(experiment) == []
    assert main(["--out", str(out), "--to", str(tmp_path / "to")]) == 0
    assert "| NetWorld | local | 2 expert | 3 |" in (
        (tmp_path / "to" / "report.md").read_text().replace("**", "")
    )


def test_damaged_results_are_named_and_left_out(tmp_path, capsys):
    out = write_results(tmp_path / "out")
    victim = next((out / "jobs").glob("evaluate-rb-cql-expert-4-s1-*")) / RESULT_FILE
    victim.write_text(victim.read_text().replace("0.25", "0.35", 1))
    experiment = read(out)
    assert str(victim) in capsys.readouterr().err
    assert experiment.missing == ["evaluate-rb-cql-expert-4-s1"]
    (group,) = experiment.find("rb", method="cql", main=True)
    assert (group.num_seeds, group.seeds) == (2, (0, 2))


def test_a_folder_that_is_no_experiment_is_refused(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 2
    assert "is no experiment" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_method_without_a_look_is_drawn_with_another(tmp_path, monkeypatch):
    """As one is that was registered a minute ago: in every figure and table."""
    drawn = []
    monkeypatch.setattr(figures, "_curve_line", note(figures._curve_line, drawn))
    monkeypatch.setattr(figures, "error_bars", note(figures.error_bars, drawn))
    monkeypatch.delitem(COLOURS, "dd")
    monkeypatch.delitem(MARKERS, "dd")
    experiment = read(write_results(tmp_path / "out"))
    # Nor does the protocol know this one.
    renamed = {"dt": "newcomer"}
    experiment = dataclasses.replace(
        experiment,
        groups=[rename(group, renamed) for group in experiment.groups],
        curves=[rename(curve, renamed) for curve in experiment.curves],
    )
    assert experiment.methods[-1] == "newcomer"
    write_report(experiment, tmp_path)
    for name in ("MA-DD", "newcomer"):
        # Three curves, and a line of scores.
        assert sum(name in told for told in drawn) == 4
        assert f"| {name} | local | 4 expert | 3 |" in (tmp_path / "report.md").read_text()
    looks = {name: (colour_of(name), marker_of(name)) for name in ("dd", "newcomer")}
    assert not {colour for colour, _ in looks.values()} & set(COLOURS.values())
    assert not {marker for _, marker in looks.values()} & set(MARKERS.values())
    assert len(set(looks.values())) == 2
    assert (colour_of("bc"), marker_of("bc")) == (COLOURS["bc"], MARKERS["bc"])


def note(draw, drawn):
    """`draw`, which also notes what the line is called."""

    def drawing(*arguments, **look):
        line = draw(*arguments, **look)
        drawn.append(look["label"] if "label" in look else line[0])
        return line

    return drawing


def rename(part, names):
    return dataclasses.replace(part, method=names.get(part.method, part.method))


def test_every_method_has_a_title_and_its_own_colour():
    assert len({title_of(method) for method in METHODS}) == len(METHODS)
    assert len({COLOURS[method] for method in MARKERS}) == len(MARKERS)


@pytest.mark.parametrize(
    ("references", "cut_off"),
    [
        ({"expert": 7.2, "random": 2.8}, ""),
        ({"expert": 7.2, "medium": 5.3, "random": -13.5}, "random -13.5"),
        ({"expert": 7.2, "medium": 0.5, "random": -13.5}, "medium 0.5, random -13.5"),
        # A rule may be better than the expert, and must not be cut off at the top.
        ({"expert": 7.2, "best heuristic": 8.5, "random": -13.5}, "random -13.5"),
    ],
)
def test_a_reference_far_below_the_curves_is_told_in_words(references, cut_off):
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    axis.plot([0, 100], [4.0, 7.0])
    for value in references.values():
        axis.axhline(value)
    figures._show_closely(axis, [4.0, 7.0], references)
    low, high = axis.get_ylim()
    for name, value in references.items():
        assert (low < value < high) == (name not in cut_off)
    assert low < 4.0 < 7.0 < high
    assert [text.get_text() for text in axis.texts] == ([f"below: {cut_off}"] if cut_off else [])


# ------------------------------------------------------------------- what no run writes
def forge(path, change):
    """Changes a file with a checksum that fits."""
    document = json.loads(path.read_text())
    del document["sha256"]
    change(document)
    path.write_text(json.dumps({**document, "sha256": checksum(document)}))


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("made-up") / "out")


EXPERIMENTS = {
    "key 'protocol' is missing": lambda d: d.pop("protocol"),
    "key 'protocol.episodes' must be an integer": lambda d: d["protocol"].update(episodes="all"),
    "key 'protocol.tasks[0].steps' is missing": lambda d: d["protocol"]["tasks"][0].pop("steps"),
    "key 'entries[0].job' must be one of the jobs": lambda d: d["entries"][0].update(job="../x"),
}


@pytest.mark.parametrize("sentence", EXPERIMENTS)
def test_a_forged_experiment_is_one_sentence(made_up, tmp_path, capsys, sentence):
    shutil.copy(made_up / "experiment.json", tmp_path)
    forge(tmp_path / "experiment.json", EXPERIMENTS[sentence])
    assert main(["--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"experiment.json: {sentence}" in error
    assert error.count("\n") == 1


RESULTS = {
    "key 'result.rewards' must be a list": lambda d: d["result"].update(rewards=3),
    "key 'result.rewards[2]' must be a finite number": lambda d: d["result"]["rewards"].__setitem__(
        2, None
    ),
    "key 'result.metrics.served' must be a list of 20": lambda d: d["result"]["metrics"].update(
        served=[1.0]
    ),
    "key 'usage.cpu_seconds' is missing": lambda d: d["usage"].pop("cpu_seconds"),
    "key 'machine' must be a list": lambda d: d.update(machine=None),
}


@pytest.mark.parametrize("sentence", RESULTS)
def test_a_forged_result_is_named_and_counts_as_missing(made_up, tmp_path, capsys, sentence):
    out = shutil.copytree(made_up, tmp_path / "out")
    path = min(out.glob(f"jobs/evaluate-rb-random-*/{RESULT_FILE}"))
    forge(path, RESULTS[sentence])
    assert len(read(out).missing) == len(read(made_up).missing) + 1
    assert f"{RESULT_FILE}: {sentence}" in capsys.readouterr().err
