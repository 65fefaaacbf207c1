"""The TorchRL environments pass TorchRL's own check, and play what the simulators play."""

import numpy as np
import pytest
from task_cases import CASES

import wirelessenvs
from wirelessenvs import family_v0
from wirelessenvs.families import FAMILIES

torch = pytest.importorskip("torch")
pytest.importorskip("torchrl")

from tensordict import TensorDict  # noqa: E402
from torchrl.data import BoundedContinuous, Categorical, OneHot  # noqa: E402
from torchrl.envs import (  # noqa: E402
    MarlGroupMapType,
    RewardSum,
    SerialEnv,
    TransformedEnv,
    check_env_specs,
    step_mdp,
)

from wirelessenvs.torchrl import FamilyEnv, WirelessEnv  # noqa: E402
from wirelessenvs.torchrl.environment import ENTRIES  # noqa: E402

pytestmark = pytest.mark.interop

#: RB with real-valued actions beside what every conformance test runs through.
ALL = [*CASES, pytest.param("rb-v0", {"units": "fair-share"}, id="rb-fair-share")]
SHORT = {"rb": {}, "cbf": {}, "slicing": {"slots_per_window": 50}}


@pytest.mark.parametrize(("task_id", "arguments"), ALL)
@pytest.mark.parametrize("entries", [("info",), ENTRIES], ids=["some", "all"])
@pytest.mark.parametrize("categorical", [True, False], ids=["categorical", "one-hot"])
def test_specs(task_id, arguments, entries, categorical):
    env = WirelessEnv(
        task_id, 3, entries=entries, categorical_actions=categorical, max_steps=4, **arguments
    )
    check_env_specs(env)
    spec = env.full_action_spec["agents", "action"]
    space = env.simulator.action_space
    if space.shape:
        assert isinstance(spec, BoundedContinuous)
        assert spec.space.low[0, 0].numpy() == pytest.approx(space.low)
        assert spec.space.high[0, 0].numpy() == pytest.approx(space.high)
    else:
        assert isinstance(spec, Categorical if categorical else OneHot)
        assert spec.space.n == space.n


@pytest.mark.parametrize(("task_id", "arguments"), ALL)
def test_an_episode_is_a_pure_function_of_its_seed(task_id, arguments):
    """Every entry is the simulator's, to the rounding of rewards and metrics to float32."""
    env = WirelessEnv(task_id, 3, entries=ENTRIES, max_steps=6, **arguments)
    env.set_seed(40)
    torch.manual_seed(0)
    rollout = env.rollout(6)
    assert rollout.shape == (3, 6)
    for b in range(3):
        single = wirelessenvs.make_simulator(task_id, 1, max_steps=6, **arguments)
        observations = single.reset([40 + b])
        for t in range(6):
            now = rollout[b, t]
            assert np.array_equal(now["agents", "observation"].numpy(), observations[0])
            assert np.array_equal(now["state"].numpy(), single.state()[0])
            assert np.array_equal(now["agents", "adjacency"].numpy(), single.adjacency[0])
            assert np.array_equal(now["agents", "context"].numpy(), single.context.values)
            step = single.step(now["agents", "action"].numpy()[None])
            observations = step.observations
            then = now["next"]
            assert np.array_equal(then["agents", "observation"].numpy(), observations[0])
            rewards = step.rewards[0].astype(np.float32)
            assert np.array_equal(then["agents", "reward"][:, 0].numpy(), rewards)
            for name, values in step.metrics.items():
                found = then["agents", "info", name][:, 0].numpy()
                assert np.array_equal(found, values[0].astype(np.float32))
            assert bool(then["done"]) == bool(then["truncated"]) == (t == 5)
            assert not then["terminated"]


@pytest.mark.parametrize(
    ("task_id", "arguments"),
    [
        ("rb-v0", {"units": "fair-share"}),
        ("cbf-v0", {"action": "beam"}),
        ("slicing-v0", {"preset": "small"}),
    ],
)
def test_rescaled_actions_are_the_same_actions(task_id, arguments):
    envs = [
        WirelessEnv(task_id, 2, rescale_actions=rescaled, **arguments) for rescaled in (True, False)
    ]
    check_env_specs(envs[0])
    space = envs[0].simulator.action_space
    for share in (0.0, 0.25, 1.0):
        results = []
        shape = (2, len(envs[0].agents), *space.shape)
        own = torch.from_numpy(space.low + share * (space.high - space.low)).expand(shape)
        for env, action in zip(envs, (torch.full(shape, 2 * share - 1), own), strict=True):
            state = env.reset(seed=3)
            state["agents", "action"] = action
            then = env.step(state)["next", "agents"]
            results.append(torch.cat([then["observation"], then["reward"]], -1))
        assert torch.allclose(*results, rtol=1e-4)
    spec = envs[0].full_action_spec["agents", "action"]
    assert (spec.space.low == -1).all()
    assert (spec.space.high == 1).all()


def test_a_rescaled_action_is_told_in_the_units_that_it_was_given_in():
    env = WirelessEnv("slicing-v0", 2, preset="small", num_users=30, rescale_actions=True)
    started = env.reset(seed=0)
    started["agents", "action"] = torch.zeros(env.full_action_spec["agents", "action"].shape)
    started["agents", "action"][1, 2, 0] = 1.5
    sentence = r"action of \w+_2 of environment 1, entry 0 must be between -1 and 1, got 1\.5\.$"
    with pytest.raises(ValueError, match=sentence):
        env.step(started)


def test_one_hot_actions_are_the_same_actions():
    envs = [WirelessEnv("rb-v0", 2, categorical_actions=kind) for kind in (True, False)]
    actions = torch.randint(0, 11, (2, 8))
    results = []
    for env, action in zip(envs, (actions, torch.nn.functional.one_hot(actions, 11)), strict=True):
        state = env.reset(seed=3)
        state["agents", "action"] = action
        results.append(env.step(state)["next", "agents", "observation"])
    assert torch.equal(*results)


def test_a_one_hot_action_may_be_rounded_and_nothing_else():
    env = WirelessEnv("rb-v0", 2, categorical_actions=False)
    actions = torch.randint(1, 11, (2, 8))
    hot = torch.nn.functional.one_hot(actions, 11).double()
    results = []
    for given in (hot, hot * 0.999999):
        state = env.reset(seed=3)
        state["agents", "action"] = given
        results.append(env.step(state)["next", "agents", "observation"])
    assert torch.equal(*results)
    before = env.simulator.state()
    two = hot[1, 2].roll(1) + hot[1, 2]
    for wrong in (torch.zeros(11), hot[1, 2] / 2, two, torch.full((11,), np.nan)):
        state["agents", "action"] = hot.clone()
        state["agents", "action"][1, 2] = wrong
        with pytest.raises(ValueError, match="action of node_2 of environment 1 must be one-hot"):
            env.step(state)
    assert np.array_equal(env.simulator.state(), before)


def test_absent_agents_of_a_family_need_no_action():
    env = FamilyEnv("rb", num_envs=2, categorical_actions=False)
    state = env.rand_action(env.reset(seed=0))
    mask = state["agents", "mask"]
    assert not mask.all()
    state["agents", "action"] = state["agents", "action"] & mask[..., None]
    env.step(state)


def test_real_actions_are_rounded_alike_in_groups():
    names = [f"node_{i}" for i in range(8)]
    seen = []
    for groups in (None, {"odd": names[1::2], "even": names[::2]}):
        env = WirelessEnv("rb-v0", 2, group_map=groups)
        state = env.reset(seed=0)
        for group, members in env.group_map.items():
            state[group, "action"] = torch.full((2, len(members)), 2.6)
        env.step(state)
        seen.append(env.simulator.state())
    assert np.array_equal(*seen)


@pytest.mark.parametrize("categorical", [True, False])
def test_actions_of_another_shape_are_told_with_their_group(categorical):
    groups = {"first": ["node_0"], "others": [f"node_{i}" for i in range(1, 8)]}
    env = WirelessEnv("rb-v0", 2, group_map=groups, categorical_actions=categorical)
    state = env.rand_action(env.reset(seed=0))
    state["others", "action"] = torch.zeros((2, 7, 5), dtype=torch.int64)
    with pytest.raises(ValueError, match=r"group 'others' must have shape \(2, 7(, 11)?\), got"):
        env.step(state)


def test_what_is_returned_is_not_what_the_environment_holds():
    env = WirelessEnv("rb-v0", 2, max_steps=9)
    state = env.reset(seed=0)
    for flag in ("done", "truncated", "terminated"):
        state[flag].fill_(True)
    state["_step"] = torch.tensor([True, False])
    assert not env.step(env.rand_action(state))["next", "truncated"].any()


def test_finished_environments_start_anew_and_the_others_go_on():
    env = WirelessEnv("rb-v0", 3, max_steps=5)
    env.set_seed(7)
    state = env.reset()
    for _ in range(2):
        state = step_mdp(env.rand_step(state))
    # A partial reset: environment 1 begins its next episode, two steps before the others end.
    begun = TensorDict({"_reset": torch.tensor([[False], [True], [False]])}, [3])
    kept = state["agents", "observation"].clone()
    state = env.reset(state.update(begun))
    assert torch.equal(state["agents", "observation"][[0, 2]], kept[[0, 2]])
    twin = wirelessenvs.make_simulator("rb-v0", 1, max_steps=5)
    twin.reset([8])
    assert np.array_equal(state["agents", "observation"][1].numpy(), twin.reset()[0])
    ends = []
    for _ in range(8):
        step, state = env.step_and_maybe_reset(env.rand_action(state))
        ends.append(step["next", "truncated"][:, 0].tolist())
        assert not state["done"].any()
    over = np.array(ends)
    assert np.flatnonzero(over[:, 0]).tolist() == np.flatnonzero(over[:, 2]).tolist() == [2, 7]
    assert np.flatnonzero(over[:, 1]).tolist() == [4]


def test_rollouts_go_on_through_episodes_and_stop_when_all_are_over():
    env = TransformedEnv(WirelessEnv("rb-v0", 2, max_steps=4), RewardSum())
    through = env.rollout(10, break_when_any_done=False)
    assert through["next", "done"][0, :, 0].nonzero()[:, 0].tolist() == [3, 7]
    rewards = through["next", "agents", "reward"][0, :4].sum(0)
    assert torch.allclose(through["next", "agents", "episode_reward"][0, 3], rewards)
    assert env.rollout(10).shape == (2, 4)
    assert env.rollout(10, break_when_any_done=False, break_when_all_done=True).shape == (2, 4)


def test_what_is_not_stepped_stays_as_it_is():
    env = WirelessEnv("rb-v0", 2, max_steps=9)
    state = env.rand_action(env.reset(seed=0))
    state["_step"] = torch.tensor([True, False])
    then = env.step(state)["next"]
    assert torch.equal(then["agents", "observation"][1], state["agents", "observation"][1])
    assert not then["agents", "reward"][1].any()
    assert env.simulator.elapsed.tolist() == [1, 0]


def test_seeds_and_episodes_repeat():
    rollouts = []
    for _ in range(2):
        env = WirelessEnv("cbf-v0", 2, max_steps=3)
        env.set_seed(5)
        torch.manual_seed(1)
        rollouts.append(env.rollout(9, break_when_any_done=False))
    assert torch.equal(*[rollout["agents", "observation"] for rollout in rollouts])
    first, second = (rollouts[0]["agents", "observation"][:, t] for t in (0, 3))
    assert not torch.equal(first, second)
    env.set_seed(5)
    assert torch.equal(env.reset()["agents", "observation"], first)
    assert torch.equal(env.reset()["agents", "observation"], second)
    assert torch.equal(env.reset(seed=[5, None])["agents", "observation"][0], first[0])


def test_groups():
    names = [f"node_{i}" for i in range(8)]
    groups = {"odd": names[1::2], "even": names[::2]}
    env = WirelessEnv("rb-v0", 2, group_map=groups, entries=ENTRIES, max_steps=4)
    check_env_specs(env)
    whole = WirelessEnv("rb-v0", 2, entries=ENTRIES, max_steps=4)
    state, joint = env.rand_action(env.reset(seed=1)), whole.reset(seed=1)
    actions = torch.empty((2, 8), dtype=torch.int64)
    actions[:, 1::2], actions[:, ::2] = state["odd", "action"], state["even", "action"]
    joint["agents", "action"] = actions
    apart, together = env.step(state)["next"], whole.step(joint)["next"]
    for entry in ("observation", "reward", "adjacency", "context"):
        assert torch.equal(apart["odd", entry], together["agents", entry][:, 1::2])
        assert torch.equal(apart["even", entry], together["agents", entry][:, ::2])
    alone = WirelessEnv("rb-v0", 2, group_map=MarlGroupMapType.ONE_GROUP_PER_AGENT)
    check_env_specs(alone)
    assert alone.group_map["node_3"] == ["node_3"]


@pytest.mark.parametrize("make", [
    lambda shared: WirelessEnv("rb-v0", 2, shared_reward=shared),
    lambda shared: FamilyEnv("rb", num_envs=2, shared_reward=shared),
])  # fmt: skip
def test_a_team_shares_the_mean_of_its_rewards(make):
    own, shared = make(False), make(True)
    state = own.rand_action(own.reset(seed=2))
    other = shared.reset(seed=2).update(state.select(("agents", "action")))
    rewards = own.step(state)["next", "agents", "reward"][..., 0]
    mask = state.get(("agents", "mask"), torch.ones_like(rewards, dtype=torch.bool))
    mean = rewards.sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    found = shared.step(other)["next", "agents", "reward"][..., 0]
    assert torch.allclose(found, mean * mask)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_padded_and_masked(family):
    entries = ("info", "adjacency", "context")
    env = FamilyEnv(family, num_envs=2, entries=entries, max_steps=3, **SHORT[family])
    check_env_specs(env)
    env.set_seed(0)
    rollout = env.rollout(7, break_when_any_done=False)
    mask = rollout["agents", "mask"]
    assert mask.shape[2] == max(FAMILIES[family].splits["train"].sizes)
    assert not mask.all()
    for entry in ("observation", "context"):
        assert not rollout["agents", entry][~mask].any()
    assert not rollout["next", "agents", "reward"][~mask].any()
    counts = mask.sum(-1)
    assert (counts[:, :3] == counts[:, :1]).all()
    # As one by one: a deployment, and an episode there.
    single = family_v0.parallel_env(family, max_steps=3, **SHORT[family])
    for episode in range(2):
        observations, _ = single.reset(seed=1 if episode == 0 else None)
        found = rollout["agents", "observation"][1, 3 * episode][mask[1, 3 * episode]]
        assert np.array_equal(found.numpy(), [*observations.values()])


def test_it_runs_inside_the_batches_of_torchrl():
    serial = SerialEnv(2, lambda: WirelessEnv("rb-v0", 3, max_steps=4))
    serial.set_seed(0)
    rollout = serial.rollout(6, break_when_any_done=False)
    assert rollout.shape == (2, 3, 6)
    assert rollout["next", "done"][..., 3, 0].all()
    serial.close()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"entries": 5}, "entries must be a sequence of names, got 5"),
        ({"entries": None}, "entries must be a sequence of names, got None"),
        ({"group_map": 5}, "group_map must be a dictionary .* got 5"),
        ({"group_map": "agents"}, "group_map must be a dictionary .* got 'agents'"),
        ({"group_map": {"a": 5}}, "group 'a' must be a sequence of names, got 5"),
        ({"group_map": {"a": ["nobody"]}}, "an agent of group_map must be one of 'node_0'"),
        ({"group_map": {"done": ["node_0"]}}, "by words other than state, .* got 'done'"),
        ({"group_map": {3: ["node_0"]}}, "by words other than state, .* got 3"),
    ],
)
@pytest.mark.parametrize("make", [lambda **a: WirelessEnv("rb-v0", **a), FamilyEnv])
def test_entries_and_groups_of_another_kind_are_sentences(make, arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make(**arguments)


def test_faults_are_sentences():
    with pytest.raises(ValueError, match="an entry must be one of 'info', 'state'"):
        WirelessEnv("rb-v0", entries=("infos",))
    with pytest.raises(TypeError, match="entries must be a sequence of names, got 'info'"):
        WirelessEnv("rb-v0", entries="info")
    with pytest.raises(ValueError, match="a family has no entry 'state'"):
        FamilyEnv("rb", entries=("state",))
    site = wirelessenvs.deployments("rb", "test")[0]
    with pytest.raises(TypeError, match="config excludes preset and single arguments"):
        WirelessEnv("rb-v0", config=site.config, max_steps=4)
    with pytest.raises(TypeError, match="shared_reward must be True or False, got 1"):
        WirelessEnv("rb-v0", shared_reward=1)
    env = WirelessEnv("rb-v0", 2)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        env.set_seed(-1)
    with pytest.raises(TypeError, match=r"seed must be an integer, got \[None, 5\]"):
        env.set_seed([None, 5])
    state = env.reset()
    state["agents", "action"] = torch.full((2, 8), 99)
    with pytest.raises(ValueError, match="action of node_0 of environment 0 must be an integer"):
        env.step(state)
