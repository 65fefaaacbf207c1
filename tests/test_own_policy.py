"""A rule of one's own, named `module:Class`: everywhere a shipped one is, knowing no more."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.baselines import play as baselines_play
from networld_agent import collect, evaluate
from networld_agent.data import TrajectoryDataset
from wirelessenvs import Information, Policy, make_policy, make_simulator, play, run_policy, scores

HERE = "test_own_policy"
QUEUE = 1
SMALL = ["--set", "num_nodes=4"]


class Half(Policy):
    """Every node asks for half of what it has queued."""

    name, information = "half", Information.LOCAL

    def _act(self, observations, privileged):
        assert privileged is None
        return np.minimum(observations[..., QUEUE] // 2, 10).astype(np.int64)


class Lucky(Policy):
    """Draws from one stream for its whole batch; has no name."""

    information = Information.CENTRAL

    def __init__(self, spec, num_envs=1, seed=0):
        super().__init__(spec, num_envs, seed)
        self._rng = np.random.default_rng(seed)

    def _act(self, observations, privileged):
        assert privileged.information is Information.CENTRAL
        return np.minimum(self._rng.integers(0, 6, observations.shape[:2]), privileged.queues)


class Greedy(Half):
    """Says that it is local, but looks whether it was handed more."""

    handed = []  # noqa: RUF012

    def __call__(self, observations, privileged=None):
        self.handed.append(privileged)
        return self._act(observations, None)


class Psychic(Half):
    """Of no known class."""

    information = "psychic"


class Silent(Policy):
    """Does not say what it knows."""

    def _act(self, observations, privileged):
        return np.zeros(observations.shape[:2], int)


class Flat(Half):
    """Forgets the agents."""

    def _act(self, observations, privileged):
        return np.zeros(len(observations), int)


class Wordy(Half):
    """Answers with words."""

    def _act(self, observations, privileged):
        return [["some"] * observations.shape[1]] * len(observations)


def collected(folder, *words, rule="Half"):
    arguments = ["--env", "rb-v0", *SMALL, "--policy", f"{HERE}:{rule}", "--jobs", "1"]
    arguments += ["--episodes", "3", "--steps", "30", *words, "--out", str(folder)]
    assert collect.main(arguments) == 0
    return TrajectoryDataset.open(folder, verify="full")


def test_it_gets_a_data_set(tmp_path):
    dataset = collected(tmp_path / "half", "--epsilon", "0")
    assert dataset.description.policy == f"{HERE}:Half"
    queues = dataset.observations[:, :, :-1, QUEUE]
    assert np.array_equal(dataset.actions, np.minimum(queues // 2, 10))


def test_each_of_its_episodes_draws_for_itself(tmp_path):
    one, three = (
        collected(tmp_path / size, "--num-envs", size, rule="Lucky") for size in ("1", "3")
    )
    assert np.array_equal(one.actions, three.actions)
    assert not np.array_equal(one.actions[0], one.actions[1])


def test_it_gets_a_row_in_tables(tmp_path, capsys):
    path = tmp_path / "table.json"
    arguments = ["--env", "rb-v0", *SMALL, "--steps", "8", "--episodes", "2", "--seeds", "1"]
    arguments += ["--policies", "random", f"{HERE}:Half"]
    assert evaluate.main([*arguments, "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [row["method"] for row in rows] == ["random", f"{HERE}:Half"]
    assert baselines_play.main(arguments) == 0
    assert capsys.readouterr().out.count(f"| {HERE}:Half | local |") == 2


def test_it_gets_a_score_beside_the_shipped_ones(tmp_path, capsys):
    path = tmp_path / "scores.json"
    chosen = ["--policy", "expert", "--policy", f"{HERE}:Half", "--policy", f"{HERE}:Lucky"]
    size = ["--episodes", "2", "--steps", "20"]
    assert scores.main(["rb-v0", *SMALL, *size, *chosen, "--json", str(path)]) == 0
    assert f"| {HERE}:Half | local |" in capsys.readouterr().out
    rows = json.loads(path.read_text())["scores"]
    assert [row["information"] for row in rows] == ["central", "local", "central"]
    assert len({row["means"]["generated"] for row in rows}) == 1


def test_it_gets_a_picture(tmp_path):
    gif = tmp_path / "half.gif"
    arguments = ["rb-v0", "--policy", f"{HERE}:Half", "--steps", "2", "--gif", str(gif)]
    assert play.main(arguments) == 0
    with Image.open(gif) as image:
        assert image.n_frames == 2


def test_a_local_rule_that_asks_for_more_gets_none(tmp_path):
    Greedy.handed.clear()
    simulator = make_simulator("rb-v0", 2)
    run_policy(simulator, make_policy(f"{HERE}:Greedy", simulator), 3)
    collected(tmp_path / "greedy", rule="Greedy")
    arguments = ["--env", "rb-v0", "--steps", "3", "--episodes", "1", "--seeds", "1"]
    assert evaluate.main([*arguments, "--policies", f"{HERE}:Greedy"]) == 0
    assert len(Greedy.handed) == 3 + 30 + 8
    assert set(Greedy.handed) == {None}


def test_a_data_set_names_its_rule_but_never_imports_it(tmp_path, monkeypatch):
    module = tmp_path / "passing_rule.py"
    module.write_text(f"from {HERE} import Half\n\nclass Passing(Half):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    arguments = ["--env", "rb-v0", "--policy", "passing_rule:Passing", "--jobs", "1"]
    folder = tmp_path / "data"
    assert collect.main([*arguments, "--episodes", "1", "--steps", "5", "--out", str(folder)]) == 0
    module.unlink()
    del sys.modules["passing_rule"]
    dataset = TrajectoryDataset.open(folder, verify="full")
    dataset.make_env().reset(seed=0)
    assert dataset.description.policy == "passing_rule:Passing"
    assert "passing_rule" not in sys.modules


FAULTS = [
    ("no_such_module:Rule", "cannot be loaded: No module named 'no_such_module'."),
    (f"{HERE}:Nothing", "cannot be loaded: module 'test_own_policy' has no attribute 'Nothing'."),
    (f"{HERE}:", "cannot be loaded"),
    (f"{HERE}:HERE", "cannot be called"),
    (f"{HERE}:collected", "must be a subclass of wirelessenvs.Policy"),
    (f"{HERE}:Silent", "must declare `information` as one of local, neighbors, central, genie"),
    (f"{HERE}:Psychic", "clairvoyant, got 'psychic'."),
    (f"{HERE}:Flat", "action"),
    (f"{HERE}:Wordy", "action"),
]


@pytest.mark.parametrize("command", ["play", "scores", "collect", "evaluate", "baselines"])
@pytest.mark.parametrize(("reference", "sentence"), FAULTS)
def test_what_is_no_rule_is_one_sentence(command, reference, sentence, tmp_path, capsys):
    out, short = str(tmp_path / "out"), ["--episodes", "1", "--steps", "2"]
    env = ["--env", "rb-v0", *short]
    calls = {
        "play": (play.main, ["rb-v0", "--policy", reference, "--png", out, "--steps", "2"]),
        "scores": (scores.main, ["rb-v0", *SMALL, "--policy", reference, *short]),
        "collect": (collect.main, [*env, "--policy", reference, "--jobs", "1", "--out", out]),
        "evaluate": (evaluate.main, [*env, "--seeds", "1", "--policies", reference]),
        "baselines": (baselines_play.main, [*env, "--policies", reference]),
    }
    main, arguments = calls[command]
    status = main(arguments)
    printed = capsys.readouterr()
    if command == "scores" and reference.endswith(":Flat"):
        # As for a shipped policy that cannot play a configuration: a row says so.
        assert "cannot play this: actions" in printed.out
        return
    assert status == 2
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert sentence in printed.err
