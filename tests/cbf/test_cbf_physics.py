"""Codebook, geometry, fading and measurement do what the model says."""

import numpy as np
import pytest
from cbf_oracle import steering
from cbf_replay import ReplaySimulator, World

from wirelessenvs import Information
from wirelessenvs.cbf import CBFConfig, CBFSimulator
from wirelessenvs.cbf.codebook import codebook, codebook_beams, nearest_actions, power_levels_mw
from wirelessenvs.cbf.kernels import _strongest
from wirelessenvs.cbf.layout import base_stations, fading_factors, random_layout


# ------------------------------------------------------------------------------ codebook
@pytest.mark.parametrize(
    ("num_beams", "phases"),
    [
        (4, [8, 12, 0, 4]),
        (6, [8, 10, 13, 0, 2, 5]),
        (8, [8, 10, 12, 14, 0, 2, 4, 6]),
        (10, [8, 9, 11, 12, 14, 0, 1, 3, 4, 6]),
    ],
)
def test_second_antenna_has_the_published_phases(num_beams, phases):
    words = codebook(3, num_beams)
    measured = np.round(np.angle(words[1]) * 16 / (2 * np.pi)).astype(int) % 16
    assert measured.tolist() == phases
    np.testing.assert_allclose(np.linalg.norm(words, axis=0), 1)


def test_codebook_actions_and_beams_are_inverse_to_each_other():
    words, levels = codebook(3, 8), power_levels_mw(5, 100.0)
    actions = np.arange(40)
    audible = actions % 5 > 0
    beams = codebook_beams(actions, words, levels)
    np.testing.assert_allclose((np.abs(beams) ** 2).sum(-1), levels[actions % 5], atol=1e-12)
    np.testing.assert_array_equal(nearest_actions(beams, words, levels)[audible], actions[audible])
    assert set(nearest_actions(beams, words, levels)[~audible]) == {0}  # silent: codeword 0


def test_full_power_codeword_has_the_known_magnitude_per_antenna():
    config = CBFConfig()
    words, levels = codebook(3, 8), power_levels_mw(5, config.max_power_mw)
    assert np.abs(codebook_beams(np.array([4]), words, levels)) == pytest.approx(45.86, abs=0.01)
    assert np.abs(codebook_beams(np.array([3]), words, levels)) == pytest.approx(39.7, abs=0.02)


# ------------------------------------------------------------------------------ geometry
def test_base_stations_stand_in_the_published_order():
    towers = base_stations(CBFConfig())
    radius = np.hypot(*towers.T)
    angle = np.rad2deg(np.arctan2(towers[:, 1], towers[:, 0]))
    np.testing.assert_allclose(radius[1:7], 400)
    np.testing.assert_allclose(radius[7:13], 800)
    np.testing.assert_allclose(radius[13:], 692.8203, rtol=1e-6)
    np.testing.assert_allclose(angle[1:4], [-30, 30, 90])
    np.testing.assert_allclose(angle[13:16], [0, 60, 120], atol=1e-9)


def test_hexagonal_graph_has_the_known_degrees():
    graph = CBFSimulator(CBFConfig()).graph
    assert graph.adjacency.sum() == 2 * 42
    assert graph.degrees.tolist() == 7 * [6] + 6 * [3] + 6 * [4]


def test_users_fall_uniformly_in_radius_around_their_own_station():
    config = CBFConfig(layout_seed=None, num_cells=61)
    towers = base_stations(config)
    rng = np.random.default_rng(0)
    offsets = np.concatenate([random_layout(config, rng).ue_positions - towers for _ in range(40)])
    radius = np.hypot(*offsets.T)
    assert radius.min() >= 10
    assert radius.max() <= 200
    assert radius.mean() == pytest.approx(105, abs=4 * 55 / np.sqrt(len(radius)))


def test_shadowing_and_distance_make_the_path_loss():
    config = CBFConfig(layout_seed=None, num_cells=61)
    towers = base_stations(config)
    layout = random_layout(config, np.random.default_rng(1))
    offset = layout.ue_positions[None] - towers[:, None]
    distance_km = np.hypot(offset[..., 0], offset[..., 1]) / 1000
    shadowing = -10 * np.log10(layout.path_gain) - 120.9 - 37.6 * np.log10(distance_km)
    assert shadowing.std() == pytest.approx(8, rel=0.05)
    assert abs(shadowing.mean()) < 0.5


@pytest.mark.parametrize("symmetric", [False, True])
def test_paths_deviate_from_the_bearing_as_documented(symmetric):
    config = CBFConfig(layout_seed=None, symmetric_spread=symmetric)
    layout = random_layout(config, np.random.default_rng(1))
    offset = layout.ue_positions[None] - base_stations(config)[:, None]
    bearing = np.arctan2(offset[..., 1], offset[..., 0])
    deviation = np.rad2deg(layout.departure_angles - bearing[..., None])
    low, high = (-1.5, 1.5) if symmetric else (-3.0, -1.5)
    assert deviation.min() >= low - 1e-9
    assert deviation.max() <= high + 1e-9
    assert deviation.mean() == pytest.approx((low + high) / 2, abs=0.05)


# -------------------------------------------------------------------------------- fading
@pytest.mark.parametrize(("antennas", "paths"), [(3, 4), (2, 6), (6, 3), (1, 1)])
def test_fading_factors_have_the_covariance_of_the_paths(antennas, paths):
    config = CBFConfig(num_cells=7, layout_seed=None, num_antennas=antennas, num_paths=paths)
    layout = random_layout(config, np.random.default_rng(3))
    parts = fading_factors(layout, antennas)
    factor = (parts[0] + 1j * parts[1]).reshape(antennas, -1, 7, 7)
    for i, k in [(0, 0), (2, 5), (6, 1)]:
        columns = np.array([steering(antennas, angle) for angle in layout.departure_angles[i, k]]).T
        expected = layout.path_gain[i, k] / 2 * columns @ columns.conj().T
        F = factor[:, :, i, k]
        np.testing.assert_allclose(F @ F.conj().T, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("overrides", "power", "rho"),
    [
        ({}, 4.0, 0.64),
        ({"normalized_innovation": True}, 1.0, 0.64),
        ({"correlation": -0.5}, 4.0, -0.5),
    ],
)
def test_fading_has_the_documented_power_and_correlation(overrides, power, rho):
    simulator = CBFSimulator(CBFConfig(num_cells=7, warm_up_slots=20, **overrides), 200)
    simulator.reset(0)
    first = simulator.privileged(Information.CENTRAL).channel
    second = simulator.privileged(Information.GENIE).channel
    # ||h||^2 averages beta L E|g|^2 = beta times L (unnormalised) or 1: divide beta out.
    parts = simulator._factors[0]
    beta = 2 * (parts**2).sum((0, 1, 2)).reshape(7, 7) / simulator.config.num_paths
    energy = (np.abs(second) ** 2).sum(-1) / beta
    assert energy.mean() == pytest.approx(power, rel=0.06)
    product = (first.conj() * second).sum(-1).real / beta
    assert product.mean() == pytest.approx(rho * power, rel=0.1)


def test_zero_doppler_freezes_the_channel():
    simulator = CBFSimulator(CBFConfig(num_cells=7, doppler_hz=0.0))
    simulator.reset(0)
    before = simulator.privileged(Information.GENIE).channel
    simulator.step(np.zeros((1, 7), np.int64))
    np.testing.assert_array_equal(before, simulator.privileged(Information.GENIE).channel)


# --------------------------------------------------------------------------- measurement
def test_strongest_keeps_the_order_and_gives_ties_to_the_lower_index():
    rng = np.random.default_rng(0)
    order, best = np.empty(5, np.int64), np.empty(5)
    for _ in range(200):
        values = rng.integers(0, 6, 19).astype(float)  # many ties
        skip = int(rng.integers(19))
        _strongest(values, skip, order, best)
        others = [j for j in np.argsort(-values, kind="stable") if j != skip]
        assert order.tolist() == others[:5]


def test_silent_network_has_no_rate_and_only_noise():
    simulator = CBFSimulator(CBFConfig())
    simulator.reset(0)
    step = simulator.step(np.zeros((1, 19), np.int64))
    assert not step.rewards.any()
    assert not step.metrics["rate"].any()
    np.testing.assert_allclose(step.metrics["interference_db"], 0, atol=1e-12)


def test_single_active_cell_has_the_rate_of_its_own_link():
    config = CBFConfig(action="beam", num_cells=7)
    simulator = CBFSimulator(config)
    simulator.reset(0)
    h = simulator.privileged(Information.GENIE).channel[0, 2, 2]
    actions = np.zeros((1, 7, 6))
    actions[0, 2] = [10, 0, -5, 0, 20, 1]
    w = actions[0, 2, :3] + 1j * actions[0, 2, 3:]
    step = simulator.step(actions)
    expected = np.log2(1 + abs(h @ w) ** 2 / config.noise_mw)  # h w, without conjugation
    assert step.metrics["rate"][0, 2] == pytest.approx(expected, rel=1e-12)
    assert step.rewards[0, 2] == pytest.approx(expected, rel=1e-12)
    assert step.metrics["rate"].sum() == pytest.approx(expected)


def test_beams_above_the_limit_are_scaled_back_and_below_it_kept():
    config = CBFConfig(action="beam", num_cells=7)
    simulator = CBFSimulator(config)
    simulator.reset(0)
    limit = np.sqrt(config.max_power_mw)
    actions = np.full((1, 7, 6), limit)
    actions[0, 1] = 0.1 * limit
    step = simulator.step(actions)
    np.testing.assert_allclose(step.metrics["power"][0, [0, 1]], [1.0, 0.06])
    beams = simulator.privileged(Information.CENTRAL).beams[0]
    np.testing.assert_allclose(np.linalg.norm(beams[0]), limit)
    np.testing.assert_allclose(beams[1], 0.1 * limit * (1 + 1j))


def test_codewords_sent_as_beams_give_the_same_slot():
    discrete = CBFSimulator(CBFConfig(num_cells=7))
    continuous = CBFSimulator(CBFConfig(num_cells=7, action="beam"))
    np.testing.assert_array_equal(discrete.reset(5), continuous.reset(5))
    words, levels = codebook(3, 8), power_levels_mw(5, discrete.config.max_power_mw)
    actions = np.random.default_rng(0).integers(40, size=(4, 1, 7))
    actions += actions % 5 == 0  # a silent beam has no direction to recognise
    for joint in actions:
        beams = codebook_beams(joint, words, levels)
        one = discrete.step(joint)
        other = continuous.step(np.concatenate([beams.real, beams.imag], axis=-1))
        np.testing.assert_allclose(one.observations, other.observations, rtol=1e-5)
        np.testing.assert_allclose(discrete.beams, beams)
        np.testing.assert_allclose(continuous.beams, beams)
        np.testing.assert_array_equal(continuous.beam_indices, joint // 5)
        np.testing.assert_allclose(one.rewards, other.rewards, rtol=1e-9, atol=1e-9)


def test_full_power_on_one_antenna_is_a_legal_action():
    config = CBFConfig(action="beam", num_cells=7)
    simulator = CBFSimulator(config)
    simulator.reset(0)
    actions = np.zeros((1, 7, 6))
    actions[..., 2] = np.sqrt(config.max_power_mw)
    np.testing.assert_allclose(simulator.step(actions).metrics["power"], 1)


def test_log_observation_is_the_official_one_in_scaled_decibels():
    official, log = CBFSimulator(CBFConfig()), CBFSimulator(CBFConfig(observation="log"))
    plain, scaled = official.reset(1)[0].astype(float), log.reset(1)[0].astype(float)
    config = official.config
    for index in (0, 1, 2, 7, 9, 10):  # power, beams, rates, neighbour: unchanged
        np.testing.assert_array_equal(plain[:, index], scaled[:, index])
    snr = plain[:, 3] * 1e-9 * config.max_power_mw / config.noise_mw
    np.testing.assert_allclose(scaled[:, 3], np.log10(1 + snr) / 5, rtol=1e-5)
    over_noise = plain[:, 5] * 1e-7 / config.noise_mw
    np.testing.assert_allclose(scaled[:, 5], np.log10(1 + over_noise) / 5, rtol=1e-5)
    received = plain[:, 8] * 1e-9 / config.noise_mw
    np.testing.assert_allclose(scaled[:, 8], np.log10(1 + received) / 5, rtol=1e-5)
    np.testing.assert_allclose(scaled[:, -1], np.log10(1 + plain[:, -1]) / 5, rtol=1e-5)


def test_sweep_observation_appends_the_gain_of_every_own_beam():
    simulator = CBFSimulator(CBFConfig(observation="sweep"))
    official = CBFSimulator(CBFConfig()).reset(1)
    observations = simulator.reset(1)
    np.testing.assert_array_equal(observations[..., :62], official)
    channel = simulator.privileged(Information.GENIE).channel[0]
    own = channel[np.arange(19), np.arange(19)]
    expected = np.abs(own @ codebook(3, 8)) ** 2 / 1e-9
    np.testing.assert_allclose(observations[0, :, 62:], expected, rtol=1e-5)


def test_state_holds_observations_and_link_gains():
    simulator = CBFSimulator(CBFConfig(num_cells=7), 2)
    observations = simulator.reset(1)
    state = simulator.state()
    np.testing.assert_array_equal(state[:, : 7 * 62], observations.reshape(2, -1))
    channel = simulator.privileged(Information.GENIE).channel
    gain = (np.abs(channel) ** 2).sum(-1) * simulator.config.max_power_mw
    expected = np.log10(1 + gain / simulator.config.noise_mw) / 5
    np.testing.assert_allclose(state[:, 7 * 62 :], expected.reshape(2, -1), rtol=1e-5)


def test_interferer_graph_follows_the_current_sets():
    simulator = CBFSimulator(CBFConfig(graph="interferers"), 2)
    assert not simulator.graph.adjacency.any()  # nothing heard before the first reset
    observations = simulator.reset(0)
    for _ in range(3):
        heard = simulator.adjacency
        assert (heard.sum(2) == 5).all()
        for env, agent in [(0, 0), (1, 12)]:
            named = np.round(observations[env, agent, 7:27:4] * 18).astype(int)
            assert sorted(named) == np.flatnonzero(heard[env, agent]).tolist()
        np.testing.assert_array_equal(simulator.graph.adjacency, heard[0])
        observations = simulator.step(np.full((2, 19), 4)).observations
    assert simulator.spec.graph.adjacency.sum() == 84  # policies know the static graph


def test_renaming_the_cells_renames_the_results():
    """The physics has no favourite cell: a permuted world gives permuted rates and rewards."""
    config = CBFConfig(num_cells=7)
    rng = np.random.default_rng(4)
    shape = (7, 7, 4)
    gain = 10 ** rng.uniform(-13, -9, (7, 7))
    angles = rng.uniform(0, 6, shape)
    gains = rng.standard_normal((8, *shape)) + 1j * rng.standard_normal((8, *shape))
    warm_up, actions = rng.integers(40, size=(3, 7)), rng.integers(40, size=7)
    actions += actions % 5 == 0  # ties between silent cells go by index
    warm_up += warm_up % 5 == 0
    config = CBFConfig(num_cells=7, warm_up_slots=2)
    order = rng.permutation(7)
    links = np.ix_(order, order)

    def run(perm, pair):
        steps = iter([g[pair] for g in gains[1:]])
        world = World(gain[pair], angles[pair], gains[0][pair], warm_up[:, perm], steps)
        simulator = ReplaySimulator(config, world)
        return simulator.reset(0), simulator.step(actions[perm][None])

    plain_first, plain = run(np.arange(7), np.ix_(range(7), range(7)))
    moved_first, moved = run(order, links)
    np.testing.assert_allclose(moved.rewards[0], plain.rewards[0][order], rtol=1e-9)
    for name, values in plain.metrics.items():
        np.testing.assert_allclose(moved.metrics[name][0], values[0][order], rtol=1e-9)
    names = np.zeros(62, bool)
    names[7:47:4] = True  # entries that name a neighbour change with the names
    expected = plain_first[0][order]
    np.testing.assert_allclose(moved_first[0][:, ~names], expected[:, ~names], rtol=1e-5)
    renamed = np.argsort(order)[np.round(expected[:, names] * 6).astype(int)]
    np.testing.assert_array_equal(np.round(moved_first[0][:, names] * 6), renamed)
