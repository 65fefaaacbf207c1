"""A padded batch of a family plays what the environments of the family play one by one."""

import numpy as np
import pytest

from wirelessenvs import family_v0
from wirelessenvs.families import FAMILIES
from wirelessenvs.families.batch import FamilyBatch

SHORT = {"rb": {}, "cbf": {}, "slicing": {"slots_per_window": 50}}


@pytest.mark.parametrize("family", FAMILIES)
def test_environments_of_a_batch_equal_single_ones_with_their_seeds(family):
    arguments = {"max_steps": 3, **SHORT[family]}
    batch = FamilyBatch(family, "train", 2, **arguments)
    singles = [family_v0.parallel_env(family, **arguments) for _ in range(2)]
    for episode in range(2):
        seeds = [5, 6] if episode == 0 else [None, None]
        observations = batch.reset(seeds)
        alone = [env.reset(seed=seed)[0] for env, seed in zip(singles, seeds, strict=True)]
        for t in range(4):
            for b, env in enumerate(singles):
                n = len(alone[b])
                assert batch.deployments[b] == env.deployment
                assert batch.present[b].tolist() == [i < n for i in range(batch.num_agents)]
                assert np.array_equal(observations[b, :n], [*alone[b].values()])
                assert not observations[b, n:].any()
                assert np.array_equal(batch.adjacency[b, :n, :n], env.graph.adjacency)
                assert not batch.adjacency[b, n:].any()
                assert not batch.adjacency[b, :, n:].any()
                assert np.array_equal(batch.contexts[b, :n], env.context.values)
            if t == 3:
                break
            actions = _drawn(batch, t)
            step = batch.step(actions)
            observations = step.observations
            for b, env in enumerate(singles):
                agents, n = env.agents, len(env.agents)
                own = dict(zip(agents, actions[b], strict=False))
                alone[b], rewards, _, truncations, infos = env.step(own)
                assert step.rewards[b, :n].tolist() == [*rewards.values()]
                assert not step.rewards[b, n:].any()
                assert step.truncated[b] == all(truncations.values()) == (t == 2)
                for name, values in step.metrics.items():
                    assert values[b, :n].tolist() == [infos[agent][name] for agent in agents]


def _drawn(batch, seed):
    batch.action_space.seed(seed)
    shape = (batch.num_envs, batch.num_agents)
    return np.array([[batch.action_space.sample() for _ in range(shape[1])]
                     for _ in range(shape[0])])  # fmt: skip


def test_absent_agents_change_nothing():
    one, other = (FamilyBatch("rb", num_envs=3) for _ in range(2))
    assert np.array_equal(one.reset(1), other.reset(1))
    absent = ~one.present
    assert absent.any()
    for t in range(5):
        actions = _drawn(one, t)
        changed = np.where(absent, 10 - actions, actions)
        first, second = one.step(actions), other.step(changed)
        assert np.array_equal(first.observations, second.observations)
        assert np.array_equal(first.rewards, second.rewards)


def test_masks_restart_and_step_only_what_they_name():
    batch = FamilyBatch("rb", num_envs=2, max_steps=50)
    first = batch.reset(3)
    mask = np.array([True, False])
    step = batch.step(_drawn(batch, 0), mask)
    assert np.array_equal(step.observations[1], first[1])
    assert not step.rewards[1].any()
    assert not np.array_equal(step.observations[0], first[0])
    before = batch.deployments[1]
    again = batch.reset(mask=mask)
    assert np.array_equal(again[1], first[1])
    assert batch.deployments[1] == before


def test_faults_are_sentences():
    with pytest.raises(ValueError, match="num_envs must be between 1 and 1000000, got 0"):
        FamilyBatch(num_envs=0)
    with pytest.raises(TypeError, match="num_nodes is fixed by deployment"):
        FamilyBatch(num_nodes=4)
    batch = FamilyBatch(num_envs=2)
    with pytest.raises(RuntimeError, match="step was called before reset"):
        batch.step(np.zeros((2, 12), np.int64))
    with pytest.raises(ValueError, match="mask must hold only True before the first reset"):
        batch.reset(0, np.array([True, False]))
    batch.reset(0)
    with pytest.raises(ValueError, match="action of node_3 of environment 1 must be an integer"):
        batch.step(np.eye(12, dtype=np.int64)[[11, 3]] * 99 * np.array([[0], [1]]))
    with pytest.raises(ValueError, match="seed must hold 2 entries, got 3"):
        batch.reset([1, 2, 3])
