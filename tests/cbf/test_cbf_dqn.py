"""The learning agent: exact gradients, improvement, and weights that fit."""

import numpy as np
import pytest

from wirelessenvs.cbf import CBFConfig, CBFSimulator
from wirelessenvs.cbf.dqn import DQN, DQNConfig, DQNPolicy, main, q_values, train

TINY = DQNConfig(hidden=(6, 4), memory=8, batch=8, smoothing=0.0, learning_rate=1e-6)


def filled(seed=0):
    """Three agents one transition short of their first update, and that transition."""
    agents = DQN(3, 5, 4, TINY, seed)
    rng = np.random.default_rng(seed)

    def transition():
        seen, following = rng.standard_normal((2, 3, 5)).astype(np.float32)
        return seen, rng.integers(4, size=3), rng.standard_normal(3), following

    for _ in range(TINY.batch - 1):
        agents.learn(*transition())
    return agents, transition()


class WholeMemory:
    """In place of a generator: every transition once instead of a random sample."""

    def integers(self, known, size):
        return np.tile(np.arange(known), (size[0], 1))


def test_update_follows_the_gradient_of_the_squared_temporal_difference():
    agents, last = filled()
    before = [layer.astype(np.float64) for layer in agents.layers]
    agents._rng = WholeMemory()
    agents.learn(*last)
    moved = [now - old for now, old in zip(agents.layers, before, strict=True)]

    rows = np.arange(3)[:, None]
    goal = agents._reward + 0.5 * q_values(before, agents._next).max(-1)

    def loss(layers):
        taken = q_values(layers, agents._seen)[rows, np.arange(8), agents._action]
        return ((taken - goal) ** 2).mean(1).sum()

    # Without smoothing RMSprop moves each weight by the learning rate against its gradient.
    checked = 0
    for index, layer in enumerate(before):
        for place in np.ndindex(layer.shape):
            shifted = [part.copy() for part in before]
            shifted[index][place] += 1e-6
            slope = (loss(shifted) - loss(before)) / 1e-6
            if abs(slope) > 1e-3:
                assert np.sign(moved[index][place]) == -np.sign(slope)
                checked += 1
    assert checked > 100


def test_epsilon_falls_from_its_first_to_its_last_value():
    agents = DQN(1, 5, 4)
    assert agents.epsilon == 0.6
    agents.slots = 1000
    assert agents.epsilon == pytest.approx(0.6 * 0.9999**1000)
    agents.slots = 10**6
    assert agents.epsilon == 0.01


def test_training_improves_on_random_beams_and_is_deterministic():
    config = CBFConfig(num_cells=7, num_beams=4)
    agents, rates = train(config, 1500, seed=1)
    assert rates[-300:].mean() > rates[:100].mean() + 0.5
    again, same = train(config, 150, seed=1)
    np.testing.assert_array_equal(rates[:150], same)
    assert again.slots == 150
    simulator = CBFSimulator(config, 2)
    policy = DQNPolicy(simulator.spec, 2, layers=agents.layers)
    observations = simulator.reset(0)
    actions = policy(observations)
    values = q_values(agents.layers, observations[1][:, None])[:, 0]
    np.testing.assert_array_equal(actions[1], values.argmax(-1))


def test_layers_must_exist_and_fit():
    spec = CBFSimulator(CBFConfig(num_cells=7)).spec
    with pytest.raises(ValueError, match="needs trained layers"):
        DQNPolicy(spec)
    agents = DQN(19, 62, 40)
    with pytest.raises(ValueError, match="layers must fit agents, observation, actions"):
        DQNPolicy(spec, layers=agents.layers)


def test_training_needs_the_codebook():
    with pytest.raises(ValueError, match="dqn needs action='codebook'"):
        train(CBFConfig(action="beam"), 10)


@pytest.mark.parametrize("bad", [{"batch": 0}, {"memory": 31}, {"last_epsilon": 0.7}])
def test_bad_hyperparameters_are_named(bad):
    with pytest.raises(ValueError, match=r"batch|memory|first_epsilon"):
        DQNConfig(**bad)


def test_command_writes_weights_that_play(tmp_path):
    out = tmp_path / "dqn.npz"
    assert main(["--slots", "40", "--set", "num_cells=7", "--out", str(out)]) == 0
    stored = np.load(out, allow_pickle=False)
    layers = [stored[name] for name in ("w0", "b0", "w1", "b1", "w2", "b2")]
    simulator = CBFSimulator(CBFConfig(num_cells=7))
    policy = DQNPolicy(simulator.spec, layers=layers)
    assert policy(simulator.reset(0)).shape == (1, 7)
