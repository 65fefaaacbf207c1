"""Slices of one's own: any number of them, each with its traffic class."""

import copy
import dataclasses
import json
import pickle

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wirelessenvs
from networld_agent.collect import main as collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data.labels import action_labels, observation_labels
from wirelessenvs import make_simulator
from wirelessenvs.play import main as play
from wirelessenvs.rollout import run_policy
from wirelessenvs.scores import main as scores
from wirelessenvs.slicing import POLICIES, SlicingConfig, SlicingSimulator, TrafficClass
from wirelessenvs.slicing.kernels import _gap_slots, _packet_bits
from wirelessenvs.slicing.rewards import lstm_a2c_shaping, reward_of
from wirelessenvs.slicing.search import SplitSearch
from wirelessenvs.slicing.splits import (
    all_splits,
    best_splits,
    block_splits,
    number_of_splits,
    random_splits,
    split_index,
    units_to_blocks,
)
from wirelessenvs.slicing.traffic import mean_gap_slots, mean_packet_bits, traffic_tables

METERS = {"name": "meters", "gap_s": ("exponential", 0.1), "bits": 4000, "latency_s": 0.05}
DOWNLOADS = {
    "name": "downloads", "gap_s": ("uniform", 0.02, 0.1), "bits": ("lomax", 1.5, 2e6, 4e7),
    "rate_bps": 2e7, "weight": 2, "speed_mps": 3,
}  # fmt: skip
FOUR = ("video", {"like": "urllc", "share": 2}, METERS, DOWNLOADS)
SMALL = {"preset": "small", "num_users": 60, "slots_per_window": 60}


def plain(number):
    """As many classes, all alike."""
    return [{**METERS, "name": f"s{k}"} for k in range(number)]


# ------------------------------------------------------------------ the three, by name
@pytest.mark.parametrize("preset", ["small", "coupled"])
def test_the_three_by_name_are_the_built_in_three(preset):
    """Bit for bit, with every policy that does not learn, and for every reward."""
    own = ("volte", "video", "urllc")
    if preset == "coupled":  # its own values of the classes give way
        own = ("volte", {"like": "video", "rate_bps": 1e7},
               {"like": "urllc", "bits": ("choice", *(8 * b for b in SIZES))})  # fmt: skip
    fast = {"preset": preset, "num_cells": 7, "num_users": 200, "slots_per_window": 100}
    played = []
    for slices in (None, own):
        simulator = make_simulator("slicing-v0", 2, **fast, slices=slices)
        numbers = [simulator.reset(3)]
        for name in ("random", "users", "bits", "oracle"):
            policy = POLICIES[name](simulator.spec, 2, seed=1)
            actions = policy(numbers[0], simulator.privileged(policy.information))
            step = simulator.step(actions)
            numbers += [actions, step.observations, step.rewards, *step.metrics.values()]
            numbers.append(simulator.state())
        played.append(([*step.metrics], numbers))
    assert played[0][0] == played[1][0]
    for one, two in zip(played[0][1], played[1][1], strict=True):
        assert one.tobytes() == two.tobytes()


SIZES = (6.4e3, 12.8e3, 19.2e3, 25.6e3, 32.0e3)


# ------------------------------------------------------------------------------ splits
@pytest.mark.parametrize(("num_units", "num_slices"), [(10, 2), (12, 4), (11, 6), (5, 5)])
def test_lists_of_splits_are_complete_and_in_order(num_units, num_slices):
    splits = all_splits(num_units, num_slices)
    grid = np.stack(np.meshgrid(*[np.arange(1, num_units)] * num_slices, indexing="ij"), -1)
    rows = grid.reshape(-1, num_slices)
    assert splits.tolist() == rows[rows.sum(1) == num_units].tolist()
    assert len(splits) == number_of_splits(num_units, num_slices)
    assert split_index(splits, num_units).tolist() == list(range(len(splits)))


def test_splits_are_as_likely_with_and_without_a_list():
    """70 units among five slices are too many for a list: each unit's share is alike."""
    rng = np.random.default_rng(0)
    assert number_of_splits(70, 5) > 300_000
    drawn = random_splits(rng, (200, 100), 70, 5).reshape(-1, 5)
    assert (drawn.sum(1) == 70).all()
    assert drawn.min() == 1
    expected = np.array([number_of_splits(70 - u, 4) for u in range(1, 67)])
    expected = expected / number_of_splits(70, 5)
    for s in range(5):
        found = np.bincount(drawn[:, s], minlength=67)[1:67] / len(drawn)
        assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() < 1.63 / np.sqrt(len(drawn))


@given(st.integers(2, 5), st.integers(0, 9), st.sampled_from([60e3, 180e3, 200e3, 1e6]))
def test_the_dynamic_programme_finds_what_the_list_holds(num_slices, seed, unit_hz):
    blocks = units_to_blocks(12, unit_hz, 180e3)
    choices, splits = block_splits(blocks, num_slices)
    worth = np.random.default_rng(seed).normal(size=(3, num_slices, choices.size))
    index = np.searchsorted(choices, blocks[splits])
    total = sum(worth[:, s, index[:, s]] for s in range(num_slices))
    found = best_splits(worth, blocks)
    assert (found.sum(-1) == 12).all()
    assert (found >= 1).all()
    place = np.searchsorted(choices, blocks[found])
    reached = np.take_along_axis(worth, place[..., None], -1)[..., 0].sum(-1)
    np.testing.assert_allclose(reached, total.max(1), rtol=1e-12)


# --------------------------------------------------------------------- traffic, rewards
def test_draws_follow_the_laws():
    laws = ({"gap_s": 0.0052, "bits": ("uniform", 1e4, 5e4)},
            {"gap_s": ("uniform", 0.01, 0.03), "bits": ("choice", 1e3, 3e3)})  # fmt: skip
    slices = [{**METERS, **law, "name": f"s{k}"} for k, law in enumerate(laws)]
    config = SlicingConfig(slices=slices)
    tables = traffic_tables(config)
    # Evenly spaced words instead of random ones: means are then exact to their number.
    words = (np.arange(2**12, dtype=np.uint64) << np.uint64(20)) + np.uint64(2**19)
    gaps = np.array([[_gap_slots(s, w, tables) for w in words] for s in (0, 1)])
    assert set(gaps[0].tolist()) == {11}  # 5.2 ms end in the eleventh slot
    assert (gaps[1].min(), gaps[1].max()) == (21, 60)
    np.testing.assert_allclose(gaps.mean(1), mean_gap_slots(config), rtol=1e-3)
    np.testing.assert_allclose(mean_gap_slots(config), [11, 40.5])
    sizes = np.array([[_packet_bits(s, np.uint32(w), tables) for w in words] for s in (0, 1)])
    np.testing.assert_allclose(np.sort(sizes[0]), 1e4 + 4e4 * (np.arange(2**12) + 0.5) / 2**12)
    np.testing.assert_allclose(sizes.mean(1), mean_packet_bits(config), rtol=1e-6)
    np.testing.assert_allclose(mean_packet_bits(config), [3e4, 2e3])


def test_rewards_by_hand():
    ssr, se = np.array([1.0, 0.5, 0.25, 0.0]), np.array(200.0)
    assert reward_of(SlicingConfig(slices=FOUR), ssr, se) == pytest.approx(1.75 / 5)
    utility = SlicingConfig(slices=FOUR, reward="utility")
    assert reward_of(utility, ssr, se) == pytest.approx(2 + 1.75)
    for ratios, reward in [
        ((0.99, 0.97, 1.0), -5.0), ((0.99, 0.9), 2.0), ((0.98, 0.99, 0.98, 0.94), 2.4),
        ((1.0, 1.0, 1.0, 1.0, 0.95), 4.0),
    ]:  # fmt: skip
        assert lstm_a2c_shaping(np.array(ratios), se) == pytest.approx(reward)


@pytest.mark.parametrize("reward", ["ssr", "utility", "lstm-a2c"])
@pytest.mark.parametrize("number", [2, 4])
def test_policies_play_and_rank_as_they_know(number, reward):
    """The oracle's reward is that of the best of all splits; the expert beats equal shares."""
    slices = FOUR[:number]
    config = SlicingConfig.from_preset(
        "small", num_users=900, slots_per_window=400, unit_hz=5e5, slices=slices, reward=reward,
        action="discrete",
    )  # fmt: skip
    simulator = SlicingSimulator(config)
    results = {
        name: run_policy(simulator, POLICIES[name](simulator.spec), 3, 7)["reward"][0]
        for name in POLICIES
    }
    assert np.isfinite(list(results.values())).all()
    assert results["hard"] < results["expert"] <= results["oracle"]
    simulator.reset(7)
    tables = simulator.window_tables()
    every = simulator.blocks[all_splits(20, number)]
    place = np.searchsorted(tables.choices, every)
    ssr = np.stack([tables.ssr[..., s, place[:, s]] for s in range(number)], -1)
    best = reward_of(config, ssr, sum(tables.se[..., s, place[:, s]] for s in range(number)))
    policy = POLICIES["oracle"](simulator.spec)
    view = simulator.privileged(policy.information)
    reached = simulator.step(policy(simulator.reset(7), view)).rewards
    np.testing.assert_allclose(reached, best.max(-1), rtol=1e-9)


def test_many_slices_need_no_list():
    """Sixteen slices have 10^12 splits: all policies play the continuous action all the same."""
    simulator = make_simulator("slicing-v0", 1, **SMALL, slices=plain(16))
    for name in POLICIES:
        assert run_policy(simulator, POLICIES[name](simulator.spec), 2)["reward"] > 0


# -------------------------------------------------------------------------- interfaces
@pytest.mark.parametrize("number", [2, 4, 5, 16])
def test_names_shapes_and_spaces_follow_the_slices(number):
    slices = plain(number)
    simulator = make_simulator("slicing-v0", 2, **SMALL, slices=slices, history=3)
    observations = simulator.reset(0)
    names = [f"s{k}" for k in range(number)]
    assert simulator.action_space.shape == (number,)
    assert observations.shape == (2, 7, 5 * number)
    step = simulator.step(np.ones((2, 7, number)))
    assert tuple(step.metrics) == simulator.metric_names
    for kind in ("ssr", "demand", "dropped", "bandwidth"):
        assert [n for n in step.metrics if n.startswith(f"{kind}_")] == [
            f"{kind}_{n}" for n in names
        ]
    labels = observation_labels("slicing-v0", simulator.config, 5 * number)
    assert [label.name for label in labels[:number]] == [f"demand_{n}" for n in names]
    assert labels[-1].name == f"ssr_s{number - 1}"
    assert (
        action_labels("slicing-v0", simulator.config, number)[-1].name == f"bandwidth_s{number - 1}"
    )
    assert {f"share_{n}" for n in names} <= set(simulator.context.names)
    np.testing.assert_allclose(sum(step.metrics[f"bandwidth_{n}"] for n in names), 1e7)
    np.testing.assert_allclose(
        sum(step.metrics[f"ssr_{n}"] for n in names) / number, step.metrics["mean_ssr"]
    )


def test_every_facade_and_a_batch_play_the_same():
    arguments = SMALL | {"slices": FOUR, "num_threads": 2}
    expected = make_simulator("slicing-v0", 1, **arguments).reset([4])[0]
    parallel = wirelessenvs.make("slicing-v0", **arguments)
    assert np.array_equal(list(parallel.reset(seed=4)[0].values()), expected)
    name = "wirelessenvs/Slicing-v0"
    assert np.array_equal(gymnasium.make(name, **arguments).reset(seed=4)[0], expected)
    batch = gymnasium.make_vec(name, num_envs=2, **arguments)
    assert np.array_equal(batch.reset(seed=3)[0][1], expected)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_goes_on_identically(clone):
    simulator = make_simulator("slicing-v0", 2, **SMALL, slices=FOUR, carry_over=True)
    simulator.reset(3)
    other = clone(simulator)
    for action in np.random.default_rng(0).uniform(0, 1e7, (3, 2, 7, 4)):
        one, two = simulator.step(action), other.step(action)
        assert np.array_equal(one.observations, two.observations)


def test_traces_and_classes_of_users_go_by_the_slices():
    packets = np.array([[5, 40, 9, 0], [0, 60, 1, 30]])
    arguments = SMALL | {"slices": FOUR, "traffic": "trace", "trace_random_start": False}
    simulator = make_simulator(
        "slicing-v0", 1, **arguments, trace=packets, user_classes=[0, 1, 2, 3] * 15, history=1
    )
    simulator.reset(1)  # plays the first row
    metrics = simulator.step(np.ones((1, 7, 4))).metrics
    names = simulator.config.slice_names
    assert [metrics[f"demand_{name}"].sum() for name in names] == [0, 60, 1, 30]
    assert (np.bincount(simulator.slices[0]) == 15).all()
    too_many = 15 * simulator.config.slots_per_window + 1
    crowded = arguments | {"trace": [[0, 0, 0, too_many]], "user_classes": [0, 1, 2, 3] * 15}
    with pytest.raises(ValueError, match=rf"got {too_many} of {names[3]} in row 0 for 15 users"):
        make_simulator("slicing-v0", 1, **crowded).reset(1)
    # The last slice may have nobody at all.
    empty = arguments | {"trace": [[0, 0, 0, 1]], "user_classes": [0, 1, 2, 0] * 15}
    with pytest.raises(ValueError, match=rf"got 1 of {names[3]} in row 0 for 0 users"):
        make_simulator("slicing-v0", 1, **empty).reset(1)


@pytest.mark.parametrize("number", [2, 4, 5, 9, 16])
def test_pictures_tell_all_slices_apart(number):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from wirelessenvs.slicing import draw

    simulator = make_simulator("slicing-v0", 1, **SMALL, slices=plain(number))
    simulator.reset(0)
    figure = Figure(figsize=(9, 6))
    draw(figure, simulator)
    FigureCanvasAgg(figure).draw()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    for legend, end in zip(legends, (" user", ""), strict=True):
        assert [t.get_text() for t in legend.get_texts()] == [f"s{k}{end}" for k in range(number)]
        box = legend.get_window_extent()
        assert figure.bbox.containsx(box.x0)
        assert figure.bbox.containsx(box.x1)
        assert box.y1 < figure._suptitle.get_window_extent().y0
    bars = next(axes for axes in figure.axes if axes.get_ylabel() == "bandwidth in MHz")
    colours = {patch.get_facecolor() for patch in bars.patches}
    assert len(colours) == number


@pytest.mark.parametrize("letter", ["e", "m", "w"])
@pytest.mark.parametrize("number", [2, 4, 8, 12, 16])
def test_legends_of_long_names_touch_neither_each_other_nor_the_panels(number, letter):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from wirelessenvs.slicing import draw

    names = [f"{letter * 16}_{k:02d}" for k in range(number)]
    slices = [{**METERS, "name": name} for name in names]
    simulator = make_simulator("slicing-v0", 1, **SMALL, slices=slices)
    simulator.reset(0)
    figure = Figure(figsize=(9, 6))
    draw(figure, simulator)
    FigureCanvasAgg(figure).draw()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    legends += figure.legends
    for legend in legends:
        assert [text.get_text().removesuffix(" user") for text in legend.get_texts()] == names
        box = legend.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert box.y1 < figure._suptitle.get_window_extent().y0
        assert not any(box.overlaps(axes.bbox) for axes in figure.axes)
    boxes = [legend.get_window_extent() for legend in legends]
    assert len(boxes) == 1 or not boxes[0].overlaps(boxes[1])


# ------------------------------------------------------------------ records and commands
def test_forms_of_slices_are_one_configuration(tmp_path):
    text = json.dumps(FOUR)
    (tmp_path / "slices.json").write_text(text)
    config = SlicingConfig(slices=FOUR)
    for form in (text, tmp_path / "slices.json", str(tmp_path / "slices.json"), config.slices,
                 list(FOUR), json.loads(text)):  # fmt: skip
        assert SlicingConfig(slices=form) == config
        assert hash(SlicingConfig(slices=form)) == hash(config)
    (tmp_path / "slices.json").write_text(text, encoding="utf-8-sig")  # with a byte-order mark
    assert SlicingConfig(slices=tmp_path / "slices.json") == config
    assert SlicingConfig(**config.to_json()) == config
    assert dataclasses.replace(config, slices=("video", "urllc")).slice_names == ("video", "urllc")
    assert config.slices[2] == TrafficClass(
        name="meters", gap_s=("exponential", 0.1), bits=("constant", 4000.0), latency_s=0.05
    )


def test_a_data_set_makes_its_slices_again_without_their_file(tmp_path):
    table, out = tmp_path / "slices.json", tmp_path / "data"
    table.write_text(json.dumps(FOUR))
    settings = ["--preset", "coupled", "--set", f"slices={table}", "--set", "num_cells=7",
                "--set", "num_users=60", "--set", "slots_per_window=60"]  # fmt: skip
    command = ["--env", "slicing-v0", "--policy", "users", "--episodes", "2", "--steps", "5"]
    assert collect([*command, "--jobs", "1", "--out", str(out), *settings]) == 0
    table.unlink()
    dataset = TrajectoryDataset.open(out)
    simulator = dataset.make_simulator(2)
    assert simulator.config.slice_names == ("video", "urllc", "meters", "downloads")
    assert simulator.config.carry_over
    observations = simulator.reset(dataset.seeds)
    for step in range(5):
        np.testing.assert_array_equal(observations, dataset.observations[:, :, step])
        result = simulator.step(dataset.actions[:, :, step])
        observations = result.observations
        np.testing.assert_array_equal(result.rewards, dataset.rewards[:, :, step])


def test_commands_play_slices(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    literal = f"slices={FOUR!r}"
    fast = ["--set", "num_cells=7", "--set", "num_users=60", "--set", "slots_per_window=60"]
    command = ["slicing-v0", "--policy", "random", "--policy", "expert", "--episodes", "2"]
    assert scores([*command, "--steps", "3", "--set", literal, *fast]) == 0
    assert "expert" in capsys.readouterr().out
    command = ["slicing-v0", "--preset", "five-services", "--policy", "hard", "--steps", "2"]
    assert play([*command, "--png", str(tmp_path / "five.png"), *fast]) == 0
    assert "ssr_downloads" in capsys.readouterr().out


# --------------------------------------------------------------------------- bad slices
def one(**fields):
    return {"slices": ("video", {**METERS, **fields})}


BAD = [
    ({"slices": ("video",)}, "number of slices must be between 2 and 16, got 1"),
    ({"slices": plain(17)}, "number of slices must be between 2 and 16, got 17"),
    ({"slices": 3}, "slices must be a list of traffic classes, got 3"),
    ({"slices": {"a": 1}}, "slices must be a list of traffic classes, got"),
    ({"slices": "lost.json"}, "slices must name a file: 'lost.json' cannot be read"),
    ({"slices": "[1, 2"}, "slices: the text is no list in JSON"),
    ({"slices": '["video", {"like": "urllc", "share": 1, "share": 2}]'},
     r"the text must hold each key once, got 'share' twice\.$"),
    ({"slices": '["video", {"name": "x", "bits": 1, "gap_s": 1, "bits": 2}]'},
     r"the text must hold each key of 'x' once, got 'bits' twice\.$"),
    ({"slices": '["video", {"like": "urllc", "share": ' + 5001 * "9" + "}]"},
     r"the text must hold numbers of at most \d+ digits, got a longer one\.$"),
    ({"slices": 9999 * "["}, "the text is no list in JSON"),
    ({"slices": ("video", 3)}, r"slices\[1\] must be a mapping .* 'volte', 'video', 'urllc', got"),
    ({"slices": ("video", "radio")}, r"slices\[1\].like must be one of 'volte', 'video', 'urllc'"),
    ({"slices": ("video", "video")}, "slices must have names of their own, got 'video' twice"),
    ({"slices": ("video", {"name": "x", "gap_s": 1})}, r"slices\[1\] must have name.*bits is miss"),
    (one(delay=3), r"slices\[1\] got an unknown field 'delay'; known: bits, gap_s, latency_s"),
    (one(name="My slice"), r"slices\[1\].name must be a lower-case letter and .* got 'My slice'"),
    (one(name="x_before_1"), r"slices\[1\].name must not end with _before_ .* 'x_before_1'"),
    (one(latency_s=None), r"slices\[1\] must have rate_bps or latency_s, or both, got neither"),
    (one(latency_s=0.0005), r"slices\[1\].latency_s must be greater than 0.0005"),
    (one(rate_bps=0), r"slices\[1\].rate_bps must be greater than 0"),
    (one(share=-1), r"slices\[1\].share must be between 0 and"),
    (one(weight="high"), r"slices\[1\].weight must be a number, got 'high'"),
    (one(speed_mps=float("nan")), r"slices\[1\].speed_mps must be finite"),
    (one(gap_s=("gamma", 1, 2)), r'gap_s must be a number or one of \("constant", value\), \("uni'),
    (one(gap_s=("uniform", 1)), r'gap_s must be a number or one of .*, got \("uniform", 1\)|got'),
    (one(gap_s=("choice", 1, 2)), r"slices\[1\].gap_s must be a number or one of"),
    (one(gap_s=("uniform", 2, 1)), r"slices\[1\].gap_s: high must be greater than 2"),
    (one(gap_s=0), r"slices\[1\].gap_s: value must be between 1e-09 and 5"),
    (one(gap_s=5.1), r"slices\[1\].gap_s: value must be between 1e-09 and 5.0, got 5.1"),
    (one(gap_s=("lomax", 0, 1, 1)), r"slices\[1\].gap_s: shape must be between 0.1 and 100"),
    (one(bits=("exponential", 9)), r"slices\[1\].bits must be a number or one of .*choice"),
    (one(bits=("choice",)), r"slices\[1\].bits must be a number or one of"),
    (one(bits=("choice", *range(1, 67))), r"slices\[1\].bits must be a number or one of"),
    (one(bits=0.5), r"slices\[1\].bits: constant must be between 1.0 and"),
    (one(bits="large"), r"slices\[1\].bits must be a number or one of"),
    ({"slices": [{**c, "share": 0} for c in plain(2)]}, "slices must have a positive share"),
    ({"slices": [{**c, "weight": 0} for c in plain(2)]}, "slices must have a positive weight"),
    ({"slices": FOUR, "user_mix": (1, 1, 1)}, r"user_mix describes the three built-in slices and"),
    ({"slices": FOUR, "urllc_packets": "small"}, r"urllc_packets .* default large beside slices"),
    ({"slices": FOUR, "unit_hz": 5e6}, r"unit_hz must be at most 1/4 of bandwidth_hz \(1e\+07\)"),
    ({"slices": plain(6), "action": "discrete"},
     'action must be "continuous" for more than 300000 splits, got "discrete" for 1.91e[+]06 spli'),
    ({"unit_hz": 1e3, "action": "discrete"}, 'action must be "continuous" for more than 300000'),
    ({"slices": FOUR, "num_users": 2, "user_classes": [0, 4]}, "user_classes must be between 0 an"),
    ({"slices": FOUR, "traffic": "trace", "trace": np.ones((2, 3))}, r"4 columns \(slices\) or"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=lambda value: str(value)[:60])
def test_bad_slices_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence) as caught:
        SlicingConfig(**arguments)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_search_that_needs_too_long_a_list_says_so(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    config = SlicingConfig(slices=plain(6), reward="lstm-a2c")
    with pytest.raises(ValueError, match="static, expert and oracle look through at most 300000"):
        SplitSearch(config)
    settings = ["--set", f"slices={plain(6)}", "--set", "reward=lstm-a2c"]
    assert (
        play(["slicing-v0", "--png", str(tmp_path / "a.png"), "--policy", "expert", *settings]) == 2
    )
    told = capsys.readouterr().err.strip()
    assert "1.91e+06 of 50 units among 6 slices" in told
    assert "\n" not in told


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.sampled_from(["video", "lomax", "uniform", "choice"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["name", "gap_s", "bits", "share", "like", "rate_bps", "latency_s"]), inner
    ),
    max_leaves=12,
)  # fmt: skip


@given(GARBAGE, GARBAGE)
def test_garbage_is_accepted_or_refused_but_never_crashes(first, second):
    for slices in (first, [first, second], [{**METERS, "gap_s": first, "bits": second}, "video"]):
        message = ""
        try:
            config = SlicingConfig(slices=slices)
            assert hash(config) == hash(dataclasses.replace(config))
        except (TypeError, ValueError) as error:
            message = str(error)
        assert "\n" not in message
