"""Command lines: whole files, sentences for faults, exit status."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from wirelessenvs import bench, play, scores
from wirelessenvs.command import parse_overrides, whole_file

RB_QUICK = ["rb-v0", "--set", "num_nodes=4"]


def test_play_writes_an_animation_and_a_picture(tmp_path, capsys):
    gif, png = tmp_path / "out.gif", tmp_path / "out.png"
    arguments = ["rb-v0", "--steps", "3", "--gif", str(gif), "--png", str(png)]
    assert play.main(arguments) == 0
    with Image.open(gif) as image:
        assert image.n_frames == 3
    with Image.open(png) as image:
        assert image.size == (900, 600)
    assert "reward" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.gif", "out.png"]


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        (play, ["nope", "--png", "x.png"], "environment id must be one of 'cbf-v0'"),
        (play, ["rb-v0"], "say where to show it"),
        (play, ["rb-v0", "--png", "no/such/folder/x.png", "--steps", "1"], "does not exist"),
        (play, ["rb-v0", "--png", "x.png", "--policy", "nope"], "policy must be one of"),
        (play, ["rb-v0", "--png", "x.png", "--preset", "nope"], "preset must be one of"),
        (play, ["rb-v0", "--png", "x.png", "--steps", "0"], "--steps must be at least 1"),
        (play, ["rb-v0", "--png", "x.png", "--seed", "-1"], "--seed must be at least 0"),
        (play, ["rb-v0", "--png", "x.png", "--set", "queue"], "--set takes NAME=VALUE"),
        (
            scores,
            ["rb-v0", "--set", "num_nodes=3", "--set", "queue=4", "--set", "num_nodes=5"],
            "--set takes each name once, got num_nodes twice.",
        ),
        (
            scores,
            ["slicing-v0", "--set", 'slices=["video", {"like": "urllc", "share": 1, "share": 2}]'],
            "must hold each key once, got 'share' twice.",
        ),
        (
            play,
            ["rb-v0", "--png", "x.png", "--set", "nope=3"],
            "unexpected keyword argument",
        ),
        (bench, ["rb-v0", "--seconds", "0"], "--seconds must be greater than 0"),
        (bench, ["--preset", "rb-9"], "--preset and --set need exactly one task"),
        (bench, ["rb-v0", "--num-envs", "0"], "--num-envs must be at least 1"),
        (scores, ["rb-v0", "--steps", "0"], "--steps must be at least 1"),
        (scores, ["rb-v0", "--policy", "nope"], "--policy must be one of"),
        (scores, ["--set", "num_nodes=3"], "--preset and --set need exactly one task"),
    ],
)
def test_faults_end_in_one_sentence_and_status_two(command, arguments, sentence, capsys):
    assert command.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error


def test_bench_times_both_facades(tmp_path, capsys):
    path = tmp_path / "speed.json"
    arguments = [*RB_QUICK, "--seconds", "0.05", "--num-envs", "3", "--json", str(path)]
    assert bench.main(arguments) == 0
    speeds = json.loads(path.read_text())["speeds"]
    assert [(row["num_envs"], row["agents"]) for row in speeds] == [(1, 4), (3, 4)]
    assert all(row["per_cpu_second"] > 0 for row in speeds)


def test_bench_times_policies_and_names_those_that_cannot_play(capsys):
    assert bench.main(["rb-v0", "--policies", "--seconds", "0.01", "--num-envs", "2"]) == 0
    table = capsys.readouterr().out
    assert "| rb-v0 policy expert | 9 | 2 |" in table
    arguments = ["cbf-v0", "--set", "num_cells=7", "--set", "layout_seed=None"]
    assert bench.main([*arguments, "--policies", "--seconds", "0.01"]) == 0
    assert "cbf-v0 policy sweep | cannot play this: policy 'sweep' needs" in capsys.readouterr().out


def test_bench_finds_no_growth_of_memory(tmp_path):
    path = tmp_path / "memory.json"
    arguments = ["rb-v0", "--memory", "--num-envs", "64", "--steps", "2000", "--json", str(path)]
    assert bench.main(arguments) == 0
    (memory,) = json.loads(path.read_text())["memory"]
    assert memory["growth_mib"] < 5  # one leaked observation batch a step would be 18 MiB


def test_scores_stand_beside_the_known_ones_on_the_same_seeds(tmp_path, capsys):
    path = tmp_path / "scores.json"
    size = ["--episodes", "2", "--steps", "30", "--policy", "demand", "--policy", "expert"]
    assert scores.main(["rb-v0", "--preset", "rb-8", *size, "--json", str(path)]) == 0
    table = capsys.readouterr().out
    assert "| demand | local |" in table
    assert "reward -3.89" in table
    document = json.loads(path.read_text())["scores"]
    demand, expert = document
    # Same seeds, same traffic: both policies meet the very same packets.
    assert demand["means"]["generated"] == expert["means"]["generated"]
    assert demand["means"]["reward"] != expert["means"]["reward"]


def test_one_episode_has_no_error_bars(capsys):
    command = ["rb-v0", "--policy", "demand", "--steps", "3", "--preset", "rb-8"]
    for episodes, bars in (("1", False), ("2", True)):
        assert scores.main([*command, "--episodes", episodes]) == 0
        table = capsys.readouterr().out
        assert ("±" in table) == bars
        assert "nan" not in table


def test_columns_of_play_stay_in_line_whatever_the_names(tmp_path, capsys):
    name = "a_slice_of_20_letter"
    own = f"slices=['video', {{'like': 'urllc', 'name': {name!r}}}]"
    sizes = ["--set", "num_users=30", "--set", "slots_per_window=20"]
    command = ["slicing-v0", "--preset", "small", "--policy", "users", "--steps", "1"]
    assert play.main([*command, *sizes, "--set", own, "--png", str(tmp_path / "a.png")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert any(f"demand_{name}" in line for line in lines)
    assert len({len(line) for line in lines}) == 1


def test_overrides_are_python_values_or_words():
    assert parse_overrides(["a=3", "b=0.5", "c=True", "d=log", "e=(1, 2)", "f=x=y"]) == {
        "a": 3,
        "b": 0.5,
        "c": True,
        "d": "log",
        "e": (1, 2),
        "f": "x=y",
    }


HALF = """
import sys, time
from wirelessenvs.command import whole_file
with whole_file(sys.argv[1]) as partial:
    partial.write_text("half")
    print("there", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_writer_left_goes_with_the_next_and_what_a_living_one_writes_stays(tmp_path):
    target = tmp_path / "result.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", HALF, str(target)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"there\n"
    writers[0].kill()
    writers[0].communicate()
    (tmp_path / ".partial-of-another-file").write_text("half")
    with whole_file(target) as partial:
        partial.write_text("whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 3  # the result, the living writer's and another file's
    writers[1].kill()
    writers[1].communicate()
    with whole_file(target) as partial:
        partial.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".partial-of-another-file", "result.json",
    ]  # fmt: skip


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")

    def fail_halfway():
        with whole_file(target) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert target.read_text() == "old"
    with whole_file(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
