"""A method and a task of another package, as `docs/add-a-method.md` walks through them."""

import csv
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmarks import report, run
from benchmarks.baselines import fit, load_policy, play, registry
from benchmarks.experiment.jobs.sources import source_files
from networld_agent import collect
from networld_agent.errors import ModelError

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/add-a-method.md").read_text()
METHOD = "their_package.method:RewardWeighted"
TASK = "their_package.task:Channel"
SMALL = ["--set", "batch_size=8", "--set", "hidden_size=8", "--steps", "5"]


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Data of the package's task, and a run of its method on them."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        data, out = str(folder / "data"), str(folder / "run")
        size = ["--episodes", "2", "--steps", "20", "--jobs", "1"]
        assert collect.main(["--env", TASK, "--policy", "random", *size, "--out", data]) == 0
        assert fit.main(["--method", METHOD, "--data", data, *SMALL, "--out", out]) == 0
    return folder / "run"


@pytest.mark.parametrize("file", ["method", "task"])
def test_the_page_shows_the_files(file):
    text = (HERE / "their_package" / f"{file}.py").read_text()
    assert f"```python\n{text}```" in PAGE
    assert len(text.splitlines()) < 60


def test_the_experiment_trains_plays_and_reports_it(tmp_path, capsys):
    own = ["--method", METHOD, "--methods", "reward-weighted", "--tasks", "rb", "--jobs", "1"]
    options = [f"reward-weighted:{option}" for option in SMALL[1:4:2]]
    sets = [word for option in (*options, "reward-weighted:steps=5") for word in ("--set", option)]
    command = ["--preset", "smoke", *own, *sets, "--out", str(tmp_path)]
    assert run.main(command) == 0
    assert len(list(tmp_path.glob("jobs/fit-rb-reward-weighted-*"))) == 1
    capsys.readouterr()
    assert run.main(command) == 0
    assert "all done." in capsys.readouterr().out
    assert report.main(["--out", str(tmp_path)]) == 0
    rows = list(csv.DictReader((tmp_path / "report" / "scores.csv").open()))
    assert [row["amount"] for row in rows if row["method"] == "reward-weighted"] == ["4"]
    assert (
        "| reward-weighted | local | 4 expert | 1 |"
        in (tmp_path / "report" / "report.md").read_text()
    )
    assert (tmp_path / "report" / "curves.png").exists()


def test_its_policy_plays_in_its_task_if_its_class_is_given(trained, capsys):
    there = ["--env", TASK, "--policy", str(trained), "--episodes", "2", "--steps", "10"]
    assert play.main([*there, "--method", METHOD]) == 0
    assert "| reward-weighted | local |" in capsys.readouterr().out
    assert play.main(there) == 2
    error = capsys.readouterr().err
    assert "unknown method 'reward-weighted'; there are bc, cql" in error
    assert "--method MODULE:CLASS" in error


def test_an_entry_point_makes_it_known_by_name(trained, monkeypatch):
    point = EntryPoint("reward-weighted", METHOD, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert load_policy(trained).name == "reward-weighted"
    assert registry.make_baseline("reward-weighted").name == "reward-weighted"
    point = EntryPoint("another", METHOD, registry.GROUP)
    with pytest.raises(ValueError, match="is named 'reward-weighted', its entry point 'another'"):
        registry.make_baseline("another")
    with pytest.raises(ModelError, match=r"unknown method 'reward-weighted'; there are .* another"):
        load_policy(trained)


def test_its_jobs_follow_its_package(tmp_path):
    files = source_files("fit", METHOD)
    assert files["their_package/method.py"] == HERE / "their_package" / "method.py"
    assert "benchmarks/baselines/shared/transitions.py" in files
    assert "their_package/task.py" not in files
    assert "benchmarks/baselines/iql.py" not in files


WRONG = """
from their_package.method import RewardWeighted, RewardWeightedPolicy
from benchmarks.baselines import Baseline, BaselinePolicy

class Unfinished(Baseline):
    name = "unfinished"

class Actless(RewardWeighted):
    policy_type = type("Policy", (BaselinePolicy,), {"name": "actless"})

class Taken(RewardWeighted):
    name = "bc"

class Spaced(RewardWeighted):
    name = "my method"

class Scratch(RewardWeighted):
    name = "networld-scratch"
    policy_type = type("Policy", (RewardWeightedPolicy,), {"name": "networld-scratch"})

class Renamed(RewardWeighted):
    name = "renamed"
"""


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("ppo", "--method must be one of 'bc', 'cql', 'iql', 'dt', 'dd', 'dima', got 'ppo'."),
        ("nowhere:Method", "--method 'nowhere:Method' cannot be loaded: No module named 'nowhere'"),
        ("wrong:Nothing", "cannot be loaded: module 'wrong' has no attribute 'Nothing'"),
        ("json:dumps", "must be a subclass of benchmarks.baselines.Baseline, got <function dumps"),
        ("wrong:Unfinished", "misses learner, config_type, policy_type of benchmarks.baselines"),
        ("wrong:Actless", "policy_type of --method 'wrong:Actless' misses decide, make_network, "),
        ("wrong:Taken", "needs another name: 'bc' is a method of this project."),
        ("wrong:Spaced", "must be words of a-z and 0-9 joined by '-', got 'my method'."),
        ("wrong:Renamed", "policy_type of --method 'wrong:Renamed' must have the same name"),
        ("wrong:Scratch", "there is a method 'networld-scratch' already"),
        ("bc", "there is a method 'bc' already"),
    ],
)
def test_what_is_no_method_is_refused_in_one_sentence(
    method, sentence, tmp_path, capsys, monkeypatch
):
    (tmp_path / "wrong.py").write_text(WRONG)
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "out"
    assert run.main(["--preset", "smoke", "--method", method, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_options_are_for_a_method_that_is_given(tmp_path, capsys):
    command = ["--preset", "smoke", "--method", METHOD, "--set", "bc:steps=1"]
    assert run.main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "unknown method of --set 'bc'; there are reward-weighted." in capsys.readouterr().err
