"""An environment that changes its site at every reset passes what one that stays passes."""

import numpy as np
import pettingzoo
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)

from wirelessenvs import family_v0, make_policy
from wirelessenvs.families import FAMILIES, deployments

CASES = [
    pytest.param({"family": "rb"}, id="rb"),
    pytest.param(
        {"family": "rb", "split": "beyond-size", "units": "fair-share", "context": True},
        id="rb-fair-share",
    ),
    pytest.param({"family": "cbf", "context": True}, id="cbf"),
    pytest.param({"family": "slicing", "slots_per_window": 100}, id="slicing"),
]


@pytest.mark.parametrize("arguments", CASES)
@pytest.mark.filterwarnings("ignore:reset ignores the unknown option")
# A deployment below the largest does not have all possible agents.
@pytest.mark.filterwarnings("ignore:No agents present but not all possible_agents")
def test_parallel_api(arguments):
    parallel_api_test(family_v0.parallel_env(max_cycles=10, **arguments), num_cycles=15)


@pytest.mark.parametrize("arguments", CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_aec_api_via_conversion(arguments):
    api_test(family_v0.env(max_cycles=10, **arguments), num_cycles=30)


@pytest.mark.parametrize("arguments", CASES)
def test_seeds(arguments):
    seed_test(lambda: family_v0.env(**arguments), num_cycles=5)
    parallel_seed_test(lambda: family_v0.parallel_env(**arguments), num_cycles=5)


def test_max_cycles():
    class Module:
        """With the family in which half of the possible agents always play, as the test counts."""

        @staticmethod
        def parallel_env(**kwargs):
            return family_v0.parallel_env(family="cbf", **kwargs)

        @staticmethod
        def env(**kwargs):
            return family_v0.env(family="cbf", **kwargs)

    max_cycles_test(Module)


@pytest.mark.parametrize("arguments", CASES)
@pytest.mark.filterwarnings("ignore:no window can be shown here")
def test_render(arguments):
    render_test(lambda **kwargs: family_v0.raw_env(**arguments, **kwargs))


@pytest.mark.parametrize("family", FAMILIES)
def test_agents_and_observations_lie_in_the_spaces_at_every_site(family):
    short = {"slots_per_window": 50} if family == "slicing" else {}
    for split, law in FAMILIES[family].splits.items():
        if max(law.sizes) > 100:
            continue  # seconds each
        env = family_v0.parallel_env(family, split, max_cycles=2, **short)
        sizes = set()
        for episode in range(4):
            observations, infos = env.reset(seed=0 if episode == 0 else None)
            sizes.add(len(env.agents))
            assert env.agents == env.possible_agents[: len(env.agents)]
            assert env.agents == list(env.simulator.agents) == list(observations) == list(infos)
            assert env.graph.num_agents == len(env.agents)
            for _ in range(2):
                for agent, seen in observations.items():
                    assert env.observation_space(agent).contains(seen)
                assert env.action_space(env.agents[0]) == env.simulator.action_space
                actions = {agent: env.action_space(agent).sample() for agent in env.agents}
                observations, _, _, truncations, _ = env.step(actions)
            assert all(truncations.values())
            assert env.agents == []
        assert sizes <= set(law.sizes)


def test_an_episode_is_one_of_its_deployment():
    env = family_v0.parallel_env("rb", "validation", max_cycles=20)
    twin = family_v0.parallel_env("rb", "validation", max_cycles=20)
    names = []
    for episode in range(6):
        seed = 11 if episode == 0 else None
        observations, _ = env.reset(seed=seed)
        again, _ = twin.reset(seed=seed)
        names.append(env.deployment.name)
        assert names[-1] == twin.deployment.name
        assert env.deployment == deployments("rb", "validation")[env.deployment.index]
        assert np.array_equal([*observations.values()], [*again.values()])
        config = env.deployment.configure(max_steps=20)
        assert env.simulator.config == config
        public = env.context.values[0]
        assert public[:2] == pytest.approx([config.num_nodes, 40 / config.num_nodes])
    assert len(set(names)) == 6


def test_policies_play_the_deployment_of_the_episode():
    env = family_v0.parallel_env("rb", "test", max_cycles=5)
    for seed in range(3):
        observations, _ = env.reset(seed=seed)
        policy = make_policy("mean-field", env)
        actions = policy(np.stack([*observations.values()])[None])[0]
        env.step(dict(zip(env.agents, actions, strict=True)))


def test_pettingzoo_makes_it_by_name():
    if not hasattr(pettingzoo, "make"):
        pytest.skip("this PettingZoo has no registry")
    made = pettingzoo.make("parallel", "wirelessenvs/family-v0", family="slicing", split="test")
    made.reset(seed=3)
    env = family_v0.parallel_env("slicing", "test")
    env.reset(seed=3)
    assert made.unwrapped.deployment == env.deployment
    assert isinstance(pettingzoo.make("aec", "wirelessenvs/family-v0"), pettingzoo.AECEnv)


def test_only_the_first_deployments_are_played():
    env = family_v0.parallel_env("rb", "train", first=3)
    seen = set()
    for episode in range(40):
        env.reset(seed=0 if episode == 0 else None)
        seen.add(env.deployment.index)
    assert seen == {0, 1, 2}


def test_faults_are_sentences():
    with pytest.raises(ValueError, match="first must be between 1 and 16777216, got 0"):
        family_v0.parallel_env(first=0)
    with pytest.raises(ValueError, match="family must be one of"):
        family_v0.parallel_env("lte")
    with pytest.raises(TypeError, match="num_nodes is fixed by deployment"):
        family_v0.parallel_env(num_nodes=4)
    with pytest.raises(TypeError, match="max_cycles and max_steps are one argument"):
        family_v0.parallel_env(max_cycles=4, max_steps=4)
    with pytest.raises(ValueError, match="render_mode must be one of"):
        family_v0.parallel_env(render_mode="ascii")
    env = family_v0.parallel_env()
    with pytest.raises(RuntimeError, match="step was called before reset"):
        env.step({})
    with pytest.raises(RuntimeError, match="there is no deployment before the first reset"):
        env.deployment  # noqa: B018
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        env.reset(seed=-1)
