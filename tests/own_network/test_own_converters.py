"""Banks from ray tracers. DeepMIMO's own library makes its data sets, where it is installed.

Sionna RT is not run: arrays of the shapes that its documentation gives for `Paths.cir` stand for
its output.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from wirelessenvs import make_simulator
from wirelessenvs.cbf.bank import save_bank
from wirelessenvs.cbf.converters import from_deepmimo, from_sionna, serving_drops
from wirelessenvs.policy import Information

SITES = np.array([[0.0, 0.0], [400.0, 0.0], [200.0, 350.0]])


def impulse_responses(receivers=3, antennas=2, paths=4, times=5, seed=0):
    rng = np.random.default_rng(seed)
    shape = (receivers, 1, 3, antennas, paths, times)
    a = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * 1e-5
    tau = rng.uniform(0, 1e-6, (receivers, 3, paths))
    tau[0, 1, 2:] = -1.0  # fewer paths on one link, as the documentation marks them
    a[0, :, 1, :, 2:] = 0.0
    return a.astype(np.complex64), tau.astype(np.float32)


@pytest.mark.parametrize("antennas_apart", [False, True])
@pytest.mark.parametrize("frequency", [0.0, 2e6])
def test_sionnas_paths_add_up(antennas_apart, frequency, tmp_path):
    a, tau = impulse_responses()
    if antennas_apart:
        tau = np.broadcast_to(tau[:, None, :, None], a.shape[:5])
    bank = from_sionna(a, tau, positions=np.column_stack([SITES + 30, np.ones(3)]),
                       frequency_hz=frequency)  # fmt: skip
    assert bank["H"].shape == (1, 5, 3, 3, 2)
    for t, bs, ue, n in np.ndindex(5, 3, 3, 2):
        delay = tau[ue, 0, bs, n] if antennas_apart else tau[ue, bs]
        expected = sum(
            a[ue, 0, bs, n, p, t] * np.exp(-2j * np.pi * frequency * delay[p])
            for p in range(4)
            if delay[p] >= 0
        )
        assert bank["H"][0, t, bs, ue, n] == pytest.approx(expected, rel=1e-4, abs=1e-9)
    path = save_bank(tmp_path / "bank.npz", **bank)
    arguments = {"sites": SITES, "num_antennas": 2, "num_interferers": 2, "channel": "bank"}
    simulator = make_simulator("cbf-v0", 1, **arguments, bank=path)
    simulator.reset(0)
    channel = simulator.privileged(Information.GENIE).channel[0]
    assert np.abs(bank["H"][0] - channel).max((1, 2, 3)).min() < 1e-12
    np.testing.assert_array_equal(simulator.ue_positions[0], SITES + 30)


def test_sionnas_receivers_are_picked_by_drop():
    a, tau = impulse_responses(receivers=7)
    users = np.array([[0, 4, 6], [1, 2, 3]])
    bank = from_sionna(a, tau, users)
    plain = from_sionna(a[users[1]], tau[users[1]])
    np.testing.assert_array_equal(bank["H"][1], plain["H"][0])


BAD = [
    ({"a": np.zeros((3, 1, 3, 2, 4))}, r"a must be complex of shape"),
    ({"tau": np.zeros((3, 3, 5))}, r"tau must have shape \(3, 3, 4\) or \(3, 1, 3, 2, 4\)"),
    ({"users": [[0, 1]]}, r"users must be integers of shape \(drops, 3\)"),
    ({"users": [[0, 1, 3]]}, r"users must be receivers 0 to 2"),
    ({"positions": np.zeros((2, 3))}, r"positions must have 3 rows"),
]


@pytest.mark.parametrize(("changed", "sentence"), BAD)
def test_arrays_of_other_shapes_are_told(changed, sentence):
    a, tau = impulse_responses()
    with pytest.raises(ValueError, match=sentence) as caught:
        from_sionna(**{"a": a, "tau": tau, **changed})
    assert str(caught.value).endswith(".")
    with pytest.raises(ValueError, match="whom each of the 3 BSs serves among 7 receivers"):
        from_sionna(*impulse_responses(receivers=7))


def test_drops_hold_receivers_of_whom_a_station_is_the_best():
    gain = np.array([[0, -10, -20, np.nan], [-5, -3, -30, np.nan], [-9, -9, -1, np.nan]])
    drops = serving_drops(gain, 5)
    np.testing.assert_array_equal(drops, np.tile([0, 1, 2], (5, 1)))
    with pytest.raises(ValueError, match=r"some receiver's best, got none of BS 1\.$"):
        serving_drops(gain - np.array([[0], [99], [0]]), 5)


@pytest.mark.parametrize("nowhere", [0.0, np.nan])
def test_receivers_without_a_path_are_not_served(nowhere):
    gain = np.array([[1e-9, 0, nowhere, nowhere], [0, 1e-9, nowhere, nowhere]])
    np.testing.assert_array_equal(serving_drops(gain, 50), np.tile([0, 1], (50, 1)))


NO_CHANNEL = [SimpleNamespace(), SimpleNamespace()]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: serving_drops([[1, 2], [3]], 1), "gain must be an array of numbers"),
        (lambda: serving_drops(np.eye(2), 1, seed="x"), "seed must be an integer, got 'x'"),
        (lambda: from_deepmimo(5, [[0, 1]]), "datasets must be a sequence of .* got 5"),
        (lambda: from_deepmimo(NO_CHANNEL, [[0, 1]]), "datasets must be .* each with a channel"),
        (
            lambda: from_sionna(*impulse_responses(), frequency_hz="x"),
            "frequency_hz must be a number, got 'x'",
        ),
        (
            lambda: from_sionna(*impulse_responses(), frequency_hz=np.nan),
            "frequency_hz must be finite, got nan",
        ),
    ],
)
def test_arguments_of_the_wrong_kind_are_told(call, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        call()


# ---------------------------------------------------------------------------- DeepMIMO
def deepmimo_datasets(times):
    deepmimo = pytest.importorskip("deepmimo")
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(-50, 450, (40, 2)), np.full(40, 1.5)])
    datasets = []
    for site in SITES:
        offset = places[:, :2] - site
        distance = np.hypot(*offset.T)
        spread = rng.uniform(-3, 3, (40, 3))
        dataset = deepmimo.Dataset({})
        dataset.scene, dataset.rt_params = deepmimo.Scene(), {"frequency": 3.5e9}
        dataset.tx_pos, dataset.rx_pos = np.append(site, 10.0)[None], places
        dataset.power = -(80 + 37 * np.log10(distance / 100))[:, None] - np.abs(spread)
        dataset.phase = rng.uniform(0, 360, (40, 3))
        dataset.delay = distance[:, None] / 3e8 + np.abs(spread) * 1e-8
        azimuth = np.rad2deg(np.arctan2(offset[:, 1], offset[:, 0]))[:, None] + spread
        dataset.aod_az, dataset.aoa_az = azimuth, azimuth - 180
        dataset.aod_el = dataset.aoa_el = np.full((40, 3), 90.0)
        parameters = deepmimo.ChannelParameters(bs_antenna={"shape": [4, 1]})
        dataset.compute_channels(parameters, times=times)
        datasets.append(dataset)
    return datasets


@pytest.mark.parametrize("times", [None, np.arange(3) * 1e-3])
def test_deepmimos_channels_keep_their_powers(times, tmp_path):
    datasets = deepmimo_datasets(times)
    strength = [10 * np.log10((10 ** (d.power / 10)).sum(1)) for d in datasets]
    users = serving_drops(strength, drops=6)
    bank = from_deepmimo(datasets, users)
    slots = 1 if times is None else 3
    assert bank["H"].shape == (6, slots, 3, 3, 4)
    np.testing.assert_array_equal(bank["users"], datasets[0].rx_pos[users, :2])
    # On the subcarrier without phase shifts by delay, antenna 0 receives the sum of the paths.
    for bs, dataset in enumerate(datasets):
        paths = 10 ** (np.asarray(dataset.power) / 20) * np.exp(1j * np.deg2rad(dataset.phase))
        expected = paths.sum(1)[users]
        np.testing.assert_allclose(bank["H"][:, 0, bs, :, 0], expected, rtol=2e-3)
    path = save_bank(tmp_path / "bank.npz", **bank)
    arguments = {"sites": SITES, "num_antennas": 4, "num_interferers": 2, "channel": "bank"}
    simulator = make_simulator("cbf-v0", 4, **arguments, bank=path)
    simulator.reset(0)
    step = simulator.step(np.full((4, 3), 4))
    assert np.isfinite(step.rewards).all()


def test_deepmimo_data_sets_that_do_not_fit_are_told():
    datasets = deepmimo_datasets(None)
    with pytest.raises(ValueError, match=r"datasets must be 2 or more"):
        from_deepmimo(datasets[:1], [[0]])
    with pytest.raises(ValueError, match=r"users must be receivers 0 to 39"):
        from_deepmimo(datasets, [[0, 1, 40]])
    with pytest.raises(ValueError, match=r"subcarrier must be between 0 and 0, got 1"):
        from_deepmimo(datasets, [[0, 1, 2]], subcarrier=1)
