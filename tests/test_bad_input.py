"""Garbage at every façade: ValueError or TypeError with a sentence, and nothing has changed."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from task_cases import TASK_CASES

import wirelessenvs
from wirelessenvs.joint import JointEnv
from wirelessenvs.tasks import get_task

JUNK_VALUES = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.booleans(),
    st.integers(max_value=-1),
    st.integers(min_value=10**9),
    st.floats(allow_nan=True, allow_infinity=True).filter(lambda x: not 0 <= x <= 1e8),
    st.just([]),
    st.just({}),
    st.complex_numbers(),
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=3), elements=st.just(np.nan)),
)


def same_arrays(first, second):
    """Whether two simulators hold the same arrays, wherever they hold arrays."""
    for name, value in vars(first).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(second, name), err_msg=name)


TASK_IDS = [case.id for case in TASK_CASES]


@pytest.fixture(params=[case.values for case in TASK_CASES], ids=TASK_IDS, scope="module")
def case(request):
    return request.param


@pytest.fixture(params=[case.values for case in TASK_CASES], ids=TASK_IDS, scope="module")
def facades(request):
    task_id, arguments = request.param
    parallel = wirelessenvs.make(task_id, **arguments)
    joint = JointEnv(task_id, **arguments)
    vector = wirelessenvs.make_vec(task_id, 2, **arguments)
    for env in (parallel, joint, vector):
        env.reset(seed=0)
    return parallel, joint, vector


@given(data=st.data())
@settings(max_examples=60)
def test_garbage_actions_change_nothing(facades, data):
    junk = data.draw(JUNK_VALUES)
    where = data.draw(st.sampled_from(["whole", "one agent", "missing agent", "extra agent"]))
    for env in facades:
        before = copy.deepcopy(env.simulator)
        if env is facades[0]:
            space = env.action_space(env.agents[0])
            good = np.zeros(space.shape, space.dtype)
            actions = dict.fromkeys(env.agents, good)
            if where == "whole":
                actions = junk
            elif where == "one agent":
                actions[env.agents[1]] = junk
            elif where == "missing agent":
                del actions[env.agents[-1]]
            else:
                actions["nobody"] = good
            if where == "one agent" and (isinstance(junk, bool) or _rounds(env, junk)):
                continue  # Gymnasium's Discrete contains True and False, so they are legal
        else:
            actions = junk
        with pytest.raises((ValueError, TypeError), match=r"\.$"):
            env.step(actions)
        same_arrays(env.simulator, before)
        np.testing.assert_array_equal(env.simulator.state(), before.state())


def _rounds(env, junk):
    """RB takes any real number but NaN: it rounds and clips."""
    return env.simulator.rounds_real_actions and isinstance(junk, float) and not np.isnan(junk)


@given(junk=JUNK_VALUES)
def test_garbage_seeds_change_nothing(facades, junk):
    if junk is None or (isinstance(junk, int) and not isinstance(junk, bool) and junk >= 0):
        return
    for env in facades:
        before = copy.deepcopy(env.simulator)
        with pytest.raises((ValueError, TypeError), match=r"(?s)seed.*\.$"):
            env.reset(seed=junk)
        same_arrays(env.simulator, before)


@given(seed=st.integers(2**31, 2**300))
@settings(max_examples=10)
def test_huge_seeds_are_seeds(facades, seed):
    for env in facades:
        first, _ = env.reset(seed=seed)
        second, _ = env.reset(seed=seed)
        np.testing.assert_equal(first, second)


@given(junk=JUNK_VALUES, data=st.data())
@settings(max_examples=150)
def test_garbage_arguments_are_named(case, junk, data):
    task_id, arguments = case
    fields = sorted(get_task(task_id).config.__dataclass_fields__)
    field = data.draw(st.sampled_from(fields))
    try:
        env = wirelessenvs.make(task_id, **{**arguments, field: junk})
    except (ValueError, TypeError) as error:
        sentence = str(error)
        assert sentence.endswith("."), sentence
        assert "Traceback" not in sentence
        assert field in sentence or field == "preset", (field, sentence)
    else:
        # What is accepted must run: no value is taken that breaks later.
        env.reset(seed=0)
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        env.step(actions)


@pytest.mark.parametrize("factory", [wirelessenvs.make, wirelessenvs.make_vec, JointEnv])
@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"task_id": "cbf-v9"}, ValueError, "environment id must be one of 'cbf-v0'"),
        ({"task_id": 3}, ValueError, "environment id must be one of"),
        ({"preset": "nope"}, ValueError, "preset must be one of 'rb-8'"),
        ({"nope": 1}, TypeError, "RBConfig got an unexpected keyword argument 'nope'; known: "),
        ({"render_mode": "ansi"}, ValueError, "render_mode must be one of 'human', 'rgb_array'"),
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1, got 0"),
        ({"config": 3}, TypeError, "config must be a RBConfig, got 3"),
    ],
)
def test_constructor_errors_are_sentences(factory, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        factory(**{"task_id": "rb-v0", **arguments})


@pytest.mark.parametrize("num_envs", [0, -3, 2.0, None, "many", True])
def test_batch_sizes_are_positive_integers(num_envs):
    with pytest.raises((ValueError, TypeError), match="num_envs must be"):
        wirelessenvs.make_vec("rb-v0", num_envs)


@pytest.mark.parametrize(
    "mask", [np.ones(3, bool), np.ones(2), "ab", [True, False, True], np.zeros((2, 1), bool)]
)
def test_reset_masks_are_one_boolean_per_environment(mask):
    env = wirelessenvs.make_vec("rb-v0", 2)
    env.reset(seed=0)
    before = copy.deepcopy(env.simulator)
    with pytest.raises((ValueError, TypeError), match="mask"):
        env.reset(options={"reset_mask": mask})
    same_arrays(env.simulator, before)


@pytest.mark.parametrize("mask", [[[True], [True, False]], [[1], [1, 2]]])
def test_a_ragged_mask_is_named(mask):
    env = wirelessenvs.make_vec("rb-v0", 2)
    with pytest.raises(ValueError, match=r"^mask must be 2 booleans, got a ragged list\.$"):
        env.simulator.reset(0, mask)


@pytest.mark.parametrize("seed", [np.array(3), np.zeros((2, 1), int), b"xy", bytearray(2)])
def test_what_only_looks_like_a_list_of_seeds_is_refused(seed):
    env = wirelessenvs.make_vec("rb-v0", 2)
    with pytest.raises(TypeError, match=r"^seed must be an integer, got .*\.$"):
        env.reset(seed=seed)


@pytest.mark.parametrize("array", [np.ones((3, 3)), np.full((2, 2), np.nan)])
def test_arrays_in_the_wrong_place_are_told_on_one_line(array):
    shown = r"got an array of float64 and shape \(., .\)\.$"
    for factory in (wirelessenvs.make, wirelessenvs.make_vec):
        with pytest.raises(TypeError, match=shown):
            factory("rb-v0", frame_ms=array)
        with pytest.raises(ValueError, match=shown):
            factory("rb-v0", traffic=array)
        with pytest.raises(TypeError, match="options must be a dictionary or None, " + shown):
            factory("rb-v0").reset(options=array)
    with pytest.raises(ValueError, match="autoreset_mode must be one of .*" + shown):
        wirelessenvs.make_vec("rb-v0", 2, autoreset_mode=array)


@pytest.mark.parametrize(
    ("task_id", "arguments"),
    [
        ("slicing-v0", {"preset": "small", "slots_per_window": 20, "history": 2}),
        ("cbf-v0", {"num_cells": 7, "num_paths": 3, "warm_up_slots": 100}),
        ("rb-v0", {"num_nodes": 4, "queue_capacity": 100, "num_slots": 100}),
    ],
)
def test_small_integers_of_numpy_count_as_pythons(task_id, arguments):
    """Sums and products of an int8 overflow: spaces had bounds below zero."""
    small = {k: np.int8(v) if isinstance(v, int) else v for k, v in arguments.items()}
    played = []
    for given_arguments in (arguments, small):
        env = wirelessenvs.make_vec(task_id, 2, **given_arguments)
        observations, _ = env.reset(seed=0)
        space = env.single_action_space
        space.seed(0)
        steps = [env.step(np.stack([space.sample(), space.sample()]))[:2] for _ in range(3)]
        played.append((env.observation_space, env.simulator.config, observations, steps))
    assert played[0][:2] == played[1][:2]
    np.testing.assert_equal(played[0][2:], played[1][2:])


def test_minus_zero_is_zero():
    env = wirelessenvs.make("cbf-v0", num_cells=7, shadowing_db=-0.0)
    env.reset(seed=0)
    assert np.copysign(1.0, env.simulator.config.shadowing_db) == 1.0
