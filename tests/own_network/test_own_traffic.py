"""Traces of traffic: what is recorded arrives, from arrays, frames and files alike."""

import dataclasses
import itertools

import numpy as np
import pytest
from own_networks import play, write_csv

from wirelessenvs import make_simulator
from wirelessenvs.inputs import check_counts
from wirelessenvs.slicing.kernels import _next_slot
from wirelessenvs.tasks import make_policy

RNG = np.random.default_rng(4)
FRAMES = RNG.poisson(4, (30, 8))
WINDOWS = RNG.poisson([30, 400, 40], (6, 3))
RB = {"traffic": "trace", "trace": FRAMES}
SLICING = {"preset": "small", "num_users": 60, "slots_per_window": 60, "traffic": "trace"}
PER_USER = RNG.integers(0, 8, (5, 60))
CLASSES = np.arange(60) % 3


@pytest.mark.parametrize(
    ("task_id", "arguments", "trace"),
    [("rb-v0", {"traffic": "trace"}, FRAMES), ("slicing-v0", SLICING, WINDOWS)],
)
def test_files_and_arrays_are_one_trace(task_id, arguments, trace, tmp_path):
    path = write_csv(tmp_path / "trace.csv", trace, ",".join("abcdefgh"[: trace.shape[1]]))
    np.save(tmp_path / "trace.npy", trace.astype(np.uint16))
    given = [trace, trace.tolist(), trace.astype(float), path, tmp_path / "trace.npy"]
    configs = {make_simulator(task_id, **arguments, trace=one).config for one in given}
    assert len(configs) == 1
    assert configs.pop().trace == tuple(map(tuple, trace.tolist()))


def test_rb_plays_a_file_row_by_row(tmp_path):
    path = write_csv(tmp_path / "trace.csv", FRAMES)
    simulator = make_simulator("rb-v0", traffic="trace", trace=path, trace_random_start=False)
    simulator.reset(0)
    for frame in range(40):
        step = simulator.step(np.zeros((1, 8), int))
        np.testing.assert_array_equal(step.metrics["generated"][0], FRAMES[frame % 30])


@pytest.mark.parametrize("random_start", [True, False])
def test_every_packet_of_a_slice_arrives_in_its_window(random_start):
    arguments = SLICING | {"trace": WINDOWS, "trace_random_start": random_start}
    simulator = make_simulator("slicing-v0", 3, **arguments)
    simulator.reset(0)
    demands = [simulator.demand_history[:, 1].sum(1), simulator.demand_history[:, 0].sum(1)]
    for _ in range(8):
        step = simulator.step(np.full((3, 7, 3), 3e6))
        names = ("demand_volte", "demand_video", "demand_urllc")
        demands.append(np.stack([step.metrics[name].sum(1) for name in names], 1))
    for env, played in enumerate(np.swapaxes(demands, 0, 1)):
        starts = [s for s in range(6) if (WINDOWS[(s + np.arange(10)) % 6] == played).all()]
        assert len(starts) == 1, env
        assert random_start or starts == [0]


def test_every_user_gets_the_packets_of_its_column():
    arguments = SLICING | {"trace": PER_USER, "user_classes": CLASSES, "trace_random_start": False}
    simulator = make_simulator("slicing-v0", 1, **arguments)
    simulator.reset(0)  # plays two windows
    for window in range(2, 9):
        cells = simulator.cells[0].copy()
        simulator.step(np.full((1, 7, 3), 3e6))
        expected = np.zeros((7, 3))
        np.add.at(expected, (cells, CLASSES), PER_USER[window % 5])
        np.testing.assert_array_equal(simulator.demand_history[0, 0], expected)


@pytest.mark.parametrize(("packets", "slots"), [(2, 3), (1, 4), (3, 5), (4, 4)])
def test_every_set_of_slots_is_as_likely_as_another(packets, slots):
    rng, runs = np.random.default_rng(0), 20_000
    seen = dict.fromkeys(itertools.combinations(range(slots), packets), 0)
    for words in rng.integers(2**32, size=(runs, packets), dtype=np.uint64):
        chosen, slot = [], 0
        for index, word in enumerate(words):
            slot = _next_slot(slot, packets - index, slots, word)
            chosen.append(slot)
            slot += 1
        seen[tuple(chosen)] += 1
    share = 1 / len(seen)
    error = np.sqrt(share * (1 - share) / runs)
    np.testing.assert_allclose(np.array([*seen.values()]) / runs, share, atol=5 * error)


@pytest.mark.parametrize(
    ("task_id", "arguments"),
    [
        ("rb-v0", RB),
        ("slicing-v0", SLICING | {"trace": WINDOWS}),
        ("slicing-v0", SLICING | {"trace": PER_USER, "user_classes": CLASSES}),
    ],
)
def test_a_batch_equals_its_single_environments_and_the_expert_plays(task_id, arguments):
    batch = play(make_simulator(task_id, 3, **arguments), seed=5)
    for env in range(3):
        simulator = make_simulator(task_id, 1, **arguments)
        for one, other in zip(batch, play(simulator, seed=5 + env), strict=True):
            np.testing.assert_array_equal(one[env], other[0])
    expert = make_policy("expert", simulator)
    observations = simulator.reset(0)
    step = simulator.step(expert(observations, simulator.privileged(expert.information)))
    assert np.isfinite(step.rewards).all()


def test_what_is_clairvoyantly_known_of_a_traced_window_comes_true():
    simulator = make_simulator("slicing-v0", 1, **SLICING, trace=WINDOWS)
    oracle = make_policy("oracle", simulator)
    observations = simulator.reset(0)
    best = simulator.step(oracle(observations, simulator.privileged(oracle.information)))
    other = make_simulator("slicing-v0", 1, **SLICING, trace=WINDOWS)
    other.reset(0)
    equal = other.step(np.full((1, 7, 3), 1e7 / 3))
    assert (best.rewards >= equal.rewards).all()
    for name in ("demand_volte", "demand_video", "demand_urllc"):
        np.testing.assert_array_equal(best.metrics[name], equal.metrics[name])


def test_classes_of_users_are_as_given():
    simulator = make_simulator("slicing-v0", 2, preset="small", num_users=60, user_classes=CLASSES)
    simulator.reset(0)
    np.testing.assert_array_equal(simulator.slices, [CLASSES, CLASSES])
    assert dataclasses.replace(simulator.config).user_classes == tuple(CLASSES.tolist())


def test_fractions_are_carried_from_row_to_row():
    rates = np.random.default_rng(3).uniform(0, 3, (400, 8))
    found = np.array(make_simulator("rb-v0", 1, **RB | {"trace": rates}).config.trace)
    assert (found >= 0).all()
    assert found.dtype.kind == "i"
    # Nobody is ever half a packet ahead of the trace, or behind it.
    assert np.abs((found - rates).cumsum(0)).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(
        check_counts("trace", np.array([[0.25, 7.0, 0.0]] * 4)),
        [[0, 7, 0], [1, 7, 0], [0, 7, 0], [0, 7, 0]],
    )
    slices = make_simulator("slicing-v0", 1, **SLICING | {"trace": [[1.5, 0.5, 2.0]] * 2})
    assert slices.config.trace == ((2, 1, 2), (1, 0, 2))


BAD = [
    (
        "rb-v0",
        RB | {"trace": FRAMES[:, :7]},
        r"at least one row and 8 columns, got shape \(30, 7\)",
    ),
    ("rb-v0", RB | {"trace": -FRAMES}, r"trace must be between 0 and 30000 in every entry"),
    ("rb-v0", RB | {"trace": np.where(FRAMES > 6, np.nan, FRAMES)}, r"trace must have no gaps"),
    ("rb-v0", RB | {"trace": np.zeros((0, 8))}, r"one row and 8 columns, got shape \(0, 8\)\.$"),
    ("rb-v0", RB | {"trace": "lost.csv"}, r"trace must name a file: 'lost.csv' cannot be read"),
    ("slicing-v0", SLICING, r'trace must be given for traffic "trace"'),
    (
        "slicing-v0",
        SLICING | {"trace": [[1e19] * 3]},
        r"trace must have sums of at most 2\*\*53, got 1e\+19 in column 0",
    ),
    ("slicing-v0", SLICING | {"trace": [[1, 1e300, 1]]}, r"got 1e\+300 in column 1"),
    ("slicing-v0", SLICING | {"trace": WINDOWS[:, :2]}, r"3 columns \(slices\) or 60 \(users"),
    ("slicing-v0", SLICING | {"trace": WINDOWS * 100}, r"at most 3600 packets in an entry"),
    ("slicing-v0", SLICING | {"trace": WINDOWS, "traffic": "classes"}, r"given for traffic"),
    ("slicing-v0", SLICING | {"trace": np.full((2, 3), np.nan)}, r"trace must have no gaps: row 0"),
    ("slicing-v0", {"user_classes": [0, 1]}, r"user_classes must have 2000 entries, got 2"),
    ("slicing-v0", {"num_users": 2, "user_classes": [0, 3]}, r"user_classes must be between 0 and"),
]


@pytest.mark.parametrize(("task_id", "arguments", "sentence"), BAD)
def test_a_trace_that_does_not_fit_is_told_in_a_sentence(task_id, arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator(task_id, **arguments)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("random_start", [True, False])
def test_a_slice_without_users_for_its_packets_is_told_at_the_reset(random_start):
    trace = [[1, 0, 0]] * 40 + [[3000, 0, 0]]
    arguments = SLICING | {"trace": trace, "trace_random_start": random_start}
    simulator = make_simulator("slicing-v0", 1, **arguments, user_mix=(0.1, 1, 1))
    sentence = r"one packet per user and slot, got 3000 of volte in row 40 for \d+ users and 60"
    with pytest.raises(ValueError, match=sentence):
        simulator.reset(0)
