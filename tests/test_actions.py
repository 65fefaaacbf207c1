"""Actions: canonical arrays or one sentence naming agent, value and bound."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wirelessenvs.actions import check_actions, stack_actions

AGENTS = ("a", "b", "c")
DISCRETE = spaces.Discrete(11)
BOX = spaces.Box(np.float32([-1, 0]), np.float32([1, 5]))


def check(actions, space=DISCRETE, num_envs=2, **kwargs):
    return check_actions(actions, space, AGENTS, num_envs, **kwargs)


@given(hnp.arrays(np.int64, (2, 3), elements=st.integers(0, 10)))
def test_legal_integers_pass_in_a_fresh_array(actions):
    checked = check(actions)
    assert checked.dtype == np.int64
    assert np.array_equal(checked, actions)
    assert not np.shares_memory(checked, actions)


@pytest.mark.parametrize("value", [-1, 11, 2**62])
def test_illegal_integers_are_named(value):
    actions = np.zeros((2, 3), np.int64)
    actions[1, 2] = value
    with pytest.raises(
        ValueError, match=rf"action of c of environment 1 must be .* 0\.\.10, got {value}"
    ):
        check(actions)


def test_unsigned_integers_do_not_wrap():
    with pytest.raises(ValueError, match="got 18446744073709551615"):
        check(np.full((2, 3), 2**64 - 1, np.uint64))


def test_reals_round_half_away_from_zero_and_clip_where_a_task_says_so():
    actions = [[0.5, 1.5, 2.5], [-0.5, 57.0, np.inf]]
    assert check(actions, round_real=True).tolist() == [[1, 2, 3], [0, 10, 10]]
    with pytest.raises(TypeError, match=r"integers 0\.\.10"):
        check(actions)
    with pytest.raises(ValueError, match="action of b of environment 0 must be a number, got nan"):
        check([[0, np.nan, 0], [0, 0, 0]], round_real=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 5.1])
def test_illegal_reals_are_named(value):
    actions = np.zeros((1, 3, 2))
    actions[0, 1, 1] = value
    with pytest.raises(ValueError, match="action of b, entry 1 must be between 0 and 5, got"):
        check(actions, BOX, num_envs=1)


def test_bounds_of_a_box_are_legal():
    edge = np.tile(BOX.high, (2, 3, 1))
    assert np.array_equal(check(edge, BOX), edge)


GARBAGE = st.one_of(
    st.none(),
    st.text(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.lists(st.one_of(st.none(), st.text(), st.floats()), max_size=4),
    hnp.arrays(
        st.sampled_from([np.bool_, np.float32, np.int8, np.complex128, object]),
        hnp.array_shapes(max_dims=4, max_side=4),
    ),
)


@given(GARBAGE, st.sampled_from([DISCRETE, BOX]))
def test_garbage_raises_one_sentence(actions, space):
    shape = (2, 3, *space.shape)
    array = np.array(actions, dtype=object) if isinstance(actions, list) else np.asarray(actions)
    if array.shape == shape and array.dtype.kind in "iuf":
        return  # a legal form by chance; values have tests of their own
    with pytest.raises((ValueError, TypeError), match=r"^actions? .*\.$"):
        check(actions, space)


def test_dictionaries_are_stacked_in_the_order_of_agents():
    assert stack_actions({"c": 3, "a": 1, "b": 2}, AGENTS) == [1, 2, 3]


@pytest.mark.parametrize(
    ("actions", "error", "sentence"),
    [
        ([1, 2, 3], TypeError, "dictionary by agent, got list"),
        ({"a": 1, "b": 2}, ValueError, "lack agent 'c'"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, ValueError, "unknown agent 'd'"),
    ],
)
def test_dictionaries_name_exactly_the_agents(actions, error, sentence):
    with pytest.raises(error, match=sentence):
        stack_actions(actions, AGENTS)
