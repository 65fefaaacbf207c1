"""Conventions of Gymnasium, PettingZoo, SuperSuit and TorchRL that users rely on."""

import importlib.util
import re
import warnings
from pathlib import Path

import gymnasium
import numba
import numpy as np
import pytest
from task_cases import TASK_CASES

import wirelessenvs
from wirelessenvs import rb_v0
from wirelessenvs.compiled import njit, vectorize
from wirelessenvs.rendering import Renderer
from wirelessenvs.tasks import get_task

RB = "wirelessenvs/RB-v0"


def length(env):
    env.reset(seed=0)
    for steps in range(1, 3000):
        if env.step(env.action_space.sample())[3]:
            return steps
    return None


# ------------------------------------------------------------------ length of an episode
@pytest.mark.parametrize("steps", [5, 1500])
def test_gymnasium_sets_the_length_of_an_episode_in_both_directions(steps):
    env = gymnasium.make(RB, max_episode_steps=steps)
    assert length(env) == steps
    assert env.spec.max_episode_steps == steps
    assert env.unwrapped.spec.max_episode_steps == steps


def test_the_spec_names_the_length_and_makes_the_same_environment():
    for arguments in ({"max_steps": 7}, {"max_episode_steps": 1200}):
        env = gymnasium.make(RB, **arguments)
        (steps,) = arguments.values()
        assert env.spec.max_episode_steps == steps
        assert length(gymnasium.make(env.spec)) == steps
    assert gymnasium.make(RB).spec.max_episode_steps == 1000
    assert gymnasium.make("wirelessenvs/Slicing-v0", preset="small").spec.max_episode_steps == 100


def test_of_two_lengths_the_shorter_ends_the_episode():
    assert length(gymnasium.make(RB, max_steps=6, max_episode_steps=4)) == 4
    assert length(gymnasium.make(RB, max_steps=4, max_episode_steps=6)) == 4
    assert length(gymnasium.make(RB, max_steps=4, max_episode_steps=-1)) == 4


def test_a_batch_takes_gymnasiums_name_of_the_length():
    envs = gymnasium.make_vec(RB, num_envs=2, max_episode_steps=3)
    envs.reset(seed=0)
    ends = [envs.step(envs.action_space.sample())[3].tolist() for _ in range(3)]
    assert ends == [[False] * 2, [False] * 2, [True] * 2]
    with pytest.raises(TypeError, match="max_episode_steps and max_steps are one argument"):
        gymnasium.make_vec(RB, num_envs=2, max_episode_steps=3, max_steps=4)
    single = gymnasium.make_vec(RB, num_envs=2, vectorization_mode="sync", max_episode_steps=1500)
    assert single.envs[0].unwrapped.simulator.config.max_steps == 1500


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_the_spaces_do_not_depend_on_the_length_of_an_episode(task_id, arguments):
    short, long = (
        gymnasium.make(get_task(task_id).gymnasium_id, **{**arguments, "max_steps": steps})
        for steps in (5, 5000)
    )
    assert short.observation_space == long.observation_space
    assert short.unwrapped.state_space == long.unwrapped.state_space


# ---------------------------------------------------------------------------- arguments
@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_unknown_keywords_are_reported_in_pythons_words(task_id, arguments):
    """TorchRL tries `frameskip` on every environment and looks for these words."""
    words = "got an unexpected keyword argument 'frameskip'"
    name = get_task(task_id).gymnasium_id
    with pytest.raises(TypeError, match=words):
        gymnasium.make(name, frameskip=1, **arguments)
    with pytest.raises(TypeError, match=words):
        gymnasium.make_vec(name, num_envs=2, frameskip=1, **arguments)
    with pytest.raises(TypeError, match=words):
        wirelessenvs.make(task_id, frameskip=1, **arguments)


# ---------------------------------------------------------------------------- rendering
@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_a_batch_renders_every_environment(task_id, arguments):
    name = get_task(task_id).gymnasium_id
    envs = gymnasium.make_vec(name, num_envs=2, render_mode="rgb_array", **arguments)
    envs.reset(seed=0)
    for _ in range(3):
        envs.step(envs.action_space.sample())
    frames = envs.render()
    assert len(frames) == 2
    assert (frames[0] != frames[1]).any()
    single = gymnasium.make(name, render_mode="rgb_array", **arguments)
    single.reset(seed=0)
    assert single.render().shape == frames[0].shape


@pytest.mark.parametrize("form", ["joint", "vector", "parallel", "aec"])
def test_a_window_shows_every_reset_and_step_by_itself(form, monkeypatch):
    shown = []
    monkeypatch.setattr(Renderer, "__init__", lambda self, *_, **__: None)
    monkeypatch.setattr(Renderer, "frame", lambda self, simulator, env=0: shown.append(env))
    if form == "joint":
        env = gymnasium.make(RB, render_mode="human")
    elif form == "vector":
        env = gymnasium.make_vec(RB, num_envs=3, render_mode="human")
    elif form == "parallel":
        env = wirelessenvs.make("rb-v0", render_mode="human")
    else:
        env = rb_v0.env(render_mode="human")
    env.reset(seed=0)
    assert shown == [0]
    if form == "parallel":
        env.step(dict.fromkeys(env.agents, 1))
    elif form == "aec":
        for _ in env.possible_agents:
            env.step(1)
    else:
        env.step(env.action_space.sample())
    assert shown == [0, 0]
    assert env.render() is None


# -------------------------------------------------------------------------------- infos
@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_infos_hold_the_same_names_from_the_reset_on(task_id, arguments):
    env = wirelessenvs.make(task_id, **arguments)
    _, infos = env.reset(seed=0)
    actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    after = env.step(actions)[4]
    assert {agent: info.keys() for agent, info in infos.items()} == {
        agent: info.keys() for agent, info in after.items()
    }
    assert all(value == 0.0 for info in infos.values() for value in info.values())
    name = get_task(task_id).gymnasium_id
    for made in (gymnasium.make(name, **arguments), gymnasium.make_vec(name, 2, **arguments)):
        _, info = made.reset(seed=0)
        later = made.step(made.action_space.sample())[4]
        assert info.keys() == later.keys()
        for key, value in info.items():
            assert np.shape(value) == np.shape(later[key])
            assert np.asarray(value).dtype == np.asarray(later[key]).dtype


def test_a_partial_reset_says_whose_infos_are_new():
    envs = wirelessenvs.make_vec("rb-v0", 2)
    envs.reset(seed=0)
    _, infos = envs.reset(options={"reset_mask": np.array([False, True])})
    assert infos["_served"].tolist() == [False, True]


# ------------------------------------------------------------------------------ wrappers
def test_wrappers_find_random_numbers_that_a_seed_repeats():
    env = rb_v0.parallel_env()
    assert isinstance(env.np_random, np.random.Generator)
    drawn = []
    for seed in (3, 3, 4):
        env.reset(seed=seed)
        drawn.append(env.np_random.random())
    assert drawn[0] == drawn[1] != drawn[2]
    env.reset()
    assert env.np_random.random() != drawn[2]  # goes on


SUPERSUIT = {
    "frame_skip_v0": (2,),
    "frame_stack_v1": (2,),
    "sticky_actions_v0": (0.5,),
    "delay_observations_v0": (1,),
    "dtype_v0": (np.float64,),
    "flatten_v0": (),
    "agent_indicator_v0": (),
    "pad_observations_v0": (),
    "pad_action_space_v0": (),
    "black_death_v3": (),
    "clip_reward_v0": (),
    "nan_noop_v0": (0,),
}


@pytest.mark.parametrize("name", SUPERSUIT)
def test_wrappers_of_supersuit_play(name):
    supersuit = pytest.importorskip("supersuit")
    env = getattr(supersuit, name)(rb_v0.parallel_env(max_steps=6), *SUPERSUIT[name])
    env.reset(seed=0)
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})


GYMNASIUM = {
    "RecordEpisodeStatistics": {},
    "TimeLimit": {"max_episode_steps": 3},
    "TimeAwareObservation": {},
    "FrameStackObservation": {"stack_size": 2},
    "FlattenObservation": {},
    "ClipReward": {"min_reward": -1.0, "max_reward": 1.0},
    "NormalizeObservation": {},
    "NormalizeReward": {},
    "StickyAction": {"repeat_action_probability": 0.5},
    "Autoreset": {},
    "DtypeObservation": {"dtype": np.float64},
}


@pytest.mark.parametrize("name", GYMNASIUM)
@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_wrappers_of_gymnasium_play(name, task_id, arguments):
    env = gymnasium.make(get_task(task_id).gymnasium_id, max_episode_steps=5, **arguments)
    env = getattr(gymnasium.wrappers, name)(env, **GYMNASIUM[name])
    env.reset(seed=0)
    over = False
    while not over:
        over = env.step(env.action_space.sample())[3]


@pytest.mark.parametrize(
    ("task_id", "arguments"), [("cbf-v0", {"action": "beam", "num_cells": 7}), ("slicing-v0", {})]
)
def test_rescaled_actions_reach_the_bounds(task_id, arguments):
    if task_id == "slicing-v0":
        arguments = {"preset": "small"}
    name = get_task(task_id).gymnasium_id
    single = gymnasium.make(name, **arguments)
    if not isinstance(single.action_space, gymnasium.spaces.Box):
        pytest.skip("choices are not rescaled")
    low = np.full(single.action_space.shape, -1, np.float32)
    env = gymnasium.wrappers.RescaleAction(single, low, -low)
    env.reset(seed=0)
    for action in (low, -low, np.zeros_like(low)):
        env.step(action)
    batch = gymnasium.make_vec(name, num_envs=2, **arguments)
    envs = gymnasium.wrappers.vector.RescaleAction(batch, low, -low)
    envs.reset(seed=0)
    for action in (low, -low):
        envs.step(np.stack([action, action]))


# ------------------------------------------------------------------------- compiled code
def test_all_compiled_code_goes_through_the_forgiving_cache():
    root = Path(wirelessenvs.__file__).parents[1]
    files = [*root.glob("wirelessenvs/**/*.py"), *root.glob("networld_agent/**/*.py")]
    direct = [f.name for f in files if re.search(r"from numba import|numba\.\w+\(", f.read_text())]
    assert direct == ["compiled.py"]


def test_without_a_place_for_compiled_code_it_is_compiled_in_memory(monkeypatch):
    from numba.core import caching

    for locator in caching.CacheImpl._locator_classes:
        monkeypatch.setattr(locator, "from_function", classmethod(lambda *_: None))

    @njit()
    def double(x):
        return 2 * x

    assert double(4) == 8

    @vectorize(["int64(int64)"])
    def triple(x):
        return 3 * x

    assert triple(np.arange(3)).tolist() == [0, 3, 6]


MODULE = """
from wirelessenvs.compiled import njit, vectorize

@{decorator}
def double(x):
    return 2 * x
"""
DAMAGE = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "other": lambda data: b"\x80nothing",
    # In the machine code of an .nbc file, where nothing but a checksum tells.
    "one bit": lambda data: bytes((*data[: len(data) // 2], data[len(data) // 2] ^ 8,
                                   *data[len(data) // 2 + 1 :])),
}  # fmt: skip


def doubled(path, compiled):
    """What a module's function answers in a process that begins, and how often it is compiled."""
    before = len(compiled)
    spec = importlib.util.spec_from_file_location("doubles", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.double(21)), len(compiled) - before


@pytest.mark.parametrize("decorator", ["njit()", "vectorize(['int64(int64)'])"])
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_compiled_code_is_compiled_anew(damage, ending, decorator, tmp_path, monkeypatch):
    from numba.core import caching

    compiled, save = [], caching.FunctionCache.save_overload
    monkeypatch.setattr(
        caching.FunctionCache,
        "save_overload",
        lambda self, *what: compiled.append(what) or save(self, *what),
    )
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    module = tmp_path / "doubles.py"
    module.write_text(MODULE.format(decorator=decorator))
    assert [doubled(module, compiled), doubled(module, compiled)] == [(42, 1), (42, 0)]
    (path,) = (tmp_path / "cache").rglob(f"*.{ending}")
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert [doubled(module, compiled), doubled(module, compiled)] == [(42, 1), (42, 0)]  # mended


def test_a_full_disk_does_not_stop_what_is_compiled(monkeypatch):
    from numba.core import caching

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.FunctionCache, "save_overload", full)

    @njit()
    def triple(x):
        return 3 * x

    assert triple(4) == 12


def test_nothing_warns_when_environments_are_made():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wirelessenvs.make("rb-v0").reset(seed=0)
