"""One's own network on command lines, and in data sets: by content, or by a file that is named."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from own_networks import ANTENNAS, SITES, write_bank, write_csv

from networld_agent.collect import main as collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.writer import DatasetWriter
from networld_agent.errors import DatasetError
from wirelessenvs.bench import main as bench
from wirelessenvs.play import main as play
from wirelessenvs.scores import main as scores

FAST = ["--episodes", "2", "--steps", "5"]


def given(**arguments):
    return [word for pair in arguments.items() for word in ("--set", "{}={}".format(*pair))]


@pytest.fixture
def network(tmp_path):
    sites = write_csv(tmp_path / "sites.csv", SITES, "x,y")
    bank = write_bank(tmp_path / "bank.npz")
    return given(sites=sites, num_interferers=3, num_antennas=ANTENNAS, channel="bank", bank=bank)


def test_scores_and_pictures_of_ones_own_network(network, tmp_path, capsys):
    assert scores(["cbf-v0", "--policy", "random", "--policy", "expert", *FAST, *network]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "±" in line]
    assert [row.split()[1] for row in rows] == ["random", "expert"]
    pytest.importorskip("matplotlib")
    picture = tmp_path / "network.png"
    assert play(["cbf-v0", "--steps", "2", "--png", str(picture), *network]) == 0
    assert picture.stat().st_size > 10_000
    assert "sinr_db" in capsys.readouterr().out


def test_a_data_set_makes_its_network_again_without_its_tables(tmp_path):
    sites = write_csv(tmp_path / "sites.csv", SITES)
    users = write_csv(tmp_path / "users.csv", SITES + 30)
    settings = given(sites=sites, users=users, num_interferers=3)
    out = tmp_path / "data"
    assert collect(["--env", "cbf-v0", *FAST, "--jobs", "1", "--out", str(out), *settings]) == 0
    for table in (sites, users):
        (tmp_path / table).unlink()
    dataset = TrajectoryDataset.open(out)
    config = json.loads((out / "metadata.json").read_text())["environment"]["config"]
    assert config["sites"] == SITES.tolist()
    simulator = dataset.make_simulator(2)
    np.testing.assert_array_equal(simulator.bs_positions, SITES)
    observations = simulator.reset(dataset.seeds)
    for step in range(5):
        np.testing.assert_array_equal(observations, dataset.observations[:, :, step])
        result = simulator.step(dataset.actions[:, :, step])
        observations = result.observations
        np.testing.assert_array_equal(result.rewards, dataset.rewards[:, :, step])


def test_a_data_set_of_a_bank_needs_that_very_file(network, tmp_path):
    out, bank = tmp_path / "data", tmp_path / "bank.npz"
    assert collect(["--env", "cbf-v0", *FAST, "--jobs", "1", "--out", str(out), *network]) == 0
    dataset = TrajectoryDataset.open(out)
    first = dataset.make_simulator(2)
    np.testing.assert_array_equal(first.reset(dataset.seeds), dataset.observations[:, :, 0])
    shutil.move(bank, tmp_path / "kept.npz")
    sha256 = first.config.bank_sha256
    with pytest.raises(DatasetError, match=rf"bank\.npz' cannot be read .* must be '{sha256}'\.$"):
        dataset.make_simulator()
    write_bank(bank, seed=5)
    with pytest.raises(DatasetError, match=rf"bank must be the file with bank_sha256 '{sha256}'"):
        dataset.make_simulator()
    shutil.move(tmp_path / "kept.npz", bank)
    dataset.make_simulator()


def test_the_same_bank_in_another_place_is_the_same_data_set(network, tmp_path):
    out, elsewhere = tmp_path / "data", tmp_path / "elsewhere.npz"
    command = ["--env", "cbf-v0", *FAST, "--jobs", "1", "--out", str(out)]
    assert collect([*command, *network]) == 0
    shutil.copy(tmp_path / "bank.npz", elsewhere)
    assert collect([*command, *network[:-1], f"bank={elsewhere}"]) == 0
    old = TrajectoryDataset.open(out).description
    config = {**old.environment["config"], "bank": str(elsewhere)}
    new = dataclasses.replace(old, environment={**old.environment, "config": config})
    with DatasetWriter(tmp_path / "new", old):
        pass
    with DatasetWriter(tmp_path / "new", new) as writer:  # goes on with it
        assert writer.missing == [0, 1]
    write_bank(elsewhere, seed=5)
    assert collect([*command, *network[:-1], f"bank={elsewhere}"]) == 2


@pytest.mark.parametrize(
    ("task", "arguments", "sentence"),
    [
        ("cbf-v0", {"sites": "none.csv"}, "sites must name a file"),
        ("cbf-v0", {"reward": "nomod:f"}, "reward 'nomod:f' cannot be loaded"),
        ("cbf-v0", {"adjacency": "a.csv"}, "adjacency must name a file"),
        ("cbf-v0", {"sites": "-" * 3000 + "1"}, "sites must name a file"),
        ("rb-v0", {"traffic": "trace", "trace": "word.csv"}, "trace must hold numbers, got 'b'"),
    ],
)
@pytest.mark.parametrize("command", [[scores, "--steps", "2"], [bench, "--policies"]])
def test_a_bad_option_is_no_line_of_a_table(command, task, arguments, sentence, tmp_path, capsys):
    if "trace" in arguments:
        (tmp_path / "word.csv").write_text("1,b\n")
        arguments = {**arguments, "trace": tmp_path / "word.csv"}
    main, *options = command
    assert main([task, *options, *given(**arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {sentence}")
    assert printed.err.count("\n") == 1
    assert "cannot play" not in printed.out


BAD = [
    ("cbf-v0", {"sites": "lost.csv"}, "sites must name a file: 'lost.csv' cannot be read"),
    ("cbf-v0", {"sites": "[[0,0],[0,0]]"}, "sites must be at least 1 m apart"),
    ("cbf-v0", {"channel": "bank"}, "bank must name a file for channel='bank', got None."),
    ("cbf-v0", {"reward": "nowhere:f"}, "reward 'nowhere:f' cannot be loaded"),
    ("rb-v0", {"traffic": "trace", "trace": "lost.csv"}, "trace must name a file: 'lost.csv'"),
    ("rb-v0", {"adjacency": "lost.npy"}, "adjacency must name a file: 'lost.npy'"),
    ("slicing-v0", {"sites": "[[0,0]]"}, "sites must have 2 to 1027 rows and 2 columns"),
]


@pytest.mark.parametrize(("task", "arguments", "sentence"), BAD)
def test_bad_input_on_a_command_line_is_one_sentence(task, arguments, sentence, tmp_path, capsys):
    out = str(tmp_path / "data")
    assert collect(["--env", task, *FAST, "--jobs", "1", "--out", out, *given(**arguments)]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith(f"error: {sentence}"), told
    assert "\n" not in told
    assert told.endswith(".")
