"""Random numbers and traffic against closed forms."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from scipy.special import ndtri
from slicing_oracle import splitmix, stream

from wirelessenvs.slicing import SlicingConfig, SlicingSimulator
from wirelessenvs.slicing.counter import GOLDEN, mix, standard_normal, stream_state
from wirelessenvs.slicing.kernels import _gap_slots, _packet_bits
from wirelessenvs.slicing.traffic import (
    clipped_lomax_mean,
    gap_probabilities,
    mean_gap_slots,
    mean_packet_bits,
    traffic_tables,
)

CONFIG = SlicingConfig()
WORDS = np.random.default_rng(1).integers(0, 2**64, 50_000, dtype=np.uint64)


def test_words_are_those_of_splitmix64():
    # Published first outputs of SplitMix64 seeded with 1234567.
    states = np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * GOLDEN
    assert [int(mix(state)) for state in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]
    assert int(mix(WORDS[0])) == splitmix(int(WORDS[0]))
    assert int(stream_state(WORDS[0], 17)) == stream(int(WORDS[0]), 17)


def test_normals_are_the_quantiles_of_their_words():
    extreme = np.array([0, 1, 2**11, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    words = np.concatenate([WORDS, WORDS >> np.uint64(20), WORDS >> np.uint64(45), extreme])
    normals = np.array([standard_normal(word) for word in words])
    u = ((words >> np.uint64(12)).astype(np.float64) + 0.5) / 2**52
    expected = np.where(u < 0.5, ndtri(np.minimum(u, 0.5)), -ndtri(1 - np.maximum(u, 0.5)))
    np.testing.assert_allclose(normals, expected, atol=3e-12, rtol=0)
    assert stats.kstest(normals[: WORDS.size], "norm").pvalue > 1e-3


def test_streams_of_neighbouring_users_and_slots_are_uncorrelated():
    slots = np.arange(2000, dtype=np.uint64) * GOLDEN
    z = np.array(
        [
            [standard_normal(np.uint64(mix(word))) for word in np.uint64(stream(7, user)) + slots]
            for user in range(40)
        ]
    )
    across = np.corrcoef(z)[np.triu_indices(40, 1)]
    assert np.abs(across).max() < 5 / np.sqrt(2000)
    assert abs(np.mean(z[:, 1:] * z[:, :-1])) < 5 / np.sqrt(80_000)


def test_clipped_lomax_means_are_those_of_the_model():
    assert clipped_lomax_mean(1.2, 6.0, 12.5) == pytest.approx(6.05, abs=0.005)
    assert clipped_lomax_mean(1.2, 800.0, 2000.0) == pytest.approx(886, abs=0.6)
    x = np.linspace(0, 12.5 / 6, 200_001)  # the mean is the integral of the survival function
    numeric = 6.0 * trapezoid((1 + x) ** -1.2, x)
    assert clipped_lomax_mean(1.2, 6.0, 12.5) == pytest.approx(numeric, rel=1e-9)
    assert clipped_lomax_mean(1.0, 6.0, 12.5) == pytest.approx(6 * np.log(1 + 12.5 / 6))


def test_share_of_video_gaps_and_sizes_at_their_caps():
    at_cap = np.array([1 + 12.5 / 6, 1 + 2000 / 800]) ** -1.2
    np.testing.assert_allclose(at_cap, [0.259, 0.222], atol=5e-4)
    # The last slot of the law also holds the gaps of 12.0 to 12.5 ms.
    last = gap_probabilities(CONFIG)[1][-1]
    assert last == pytest.approx((1 + 12.0 / 6) ** -1.2)


def test_arrival_rates_per_user_are_those_of_the_model():
    per_second = 1.0 / (mean_gap_slots(CONFIG) * CONFIG.slot_s)
    np.testing.assert_allclose(per_second, [12.46, 160.3, 5.55], rtol=5e-4)


def test_mean_sizes_are_those_of_the_model():
    np.testing.assert_allclose(mean_packet_bits(CONFIG), [320.0, 886.5, 4e6], rtol=1e-3)


@pytest.mark.parametrize("service", [0, 1])
def test_kernel_draws_gaps_from_the_closed_form_law(service):
    tables = traffic_tables(CONFIG)
    law = gap_probabilities(CONFIG)[service]
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
    # Evenly spaced words instead of random ones: the frequencies are then exact to their number.
    words = (np.arange(2**16, dtype=np.uint64) << np.uint64(16)) + np.uint64(2**15)
    gaps = np.array([_gap_slots(service, word, tables) for word in words])
    frequency = np.bincount(gaps, minlength=law.size + 1)[1:] / words.size
    np.testing.assert_allclose(frequency, law, atol=1.01 / 2**16)


def test_kernel_draws_exponential_gaps_rounded_up():
    tables = traffic_tables(CONFIG)
    words = WORDS >> np.uint64(32)
    gaps = np.array([_gap_slots(2, word, tables) for word in words])
    assert gaps.min() >= 1
    assert gaps.mean() == pytest.approx(360.5, rel=4 / np.sqrt(gaps.size))
    ends = -np.expm1(-1 / 360)
    assert stats.kstest(gaps, stats.geom(ends).cdf).pvalue > 1e-3


def test_kernel_draws_sizes_from_the_closed_form_law():
    tables = traffic_tables(CONFIG)
    words = (np.arange(2**14, dtype=np.uint32) << np.uint32(18)) + np.uint32(2**17)
    video = np.array([_packet_bits(1, word, tables) for word in words])
    assert video.mean() == pytest.approx(mean_packet_bits(CONFIG)[1], rel=1e-3)
    assert (video == 2000).mean() == pytest.approx(3.5**-1.2, abs=1e-3)
    assert {_packet_bits(0, word, tables) for word in words[::100]} == {320.0}
    urllc = [_packet_bits(2, word, tables) for word in words]
    sizes, times = np.unique(urllc, return_counts=True)
    np.testing.assert_allclose(sizes, 8e6 * np.array([0.3, 0.4, 0.5, 0.6, 0.7]))
    assert np.ptp(times) <= 1


def test_long_run_arrivals_match_the_rates_through_window_boundaries():
    """A phase lost or repeated where windows meet would change the rate of short windows."""
    config = SlicingConfig(
        num_cells=1, num_users=600, user_mix=(1.0, 1.0, 1.0), slots_per_window=37
    )
    simulator = SlicingSimulator(config)
    simulator.reset(3)
    for _ in range(40):  # forget the common start
        simulator.step(np.full((1, 1, 3), 3e6))
    windows = 400
    total = np.zeros(3)
    for _ in range(windows):
        metrics = simulator.step(np.full((1, 1, 3), 3e6)).metrics
        total += [metrics[f"demand_{name}"].sum() for name in ("volte", "video", "urllc")]
    users = np.bincount(simulator.slices[0], minlength=3)
    expected = users * windows * 37 / mean_gap_slots(config)
    assert np.all(np.abs(total - expected) < 4 * np.sqrt(expected))


def test_service_levels_leave_the_slots_that_the_model_says():
    """VoLTE succeeds up to 12 slots, video in its first only, URLLC up to 5."""
    radio = SlicingSimulator(CONFIG).radio
    assert radio.sla_slots.tolist() == [19, 19, 5]
    ages = np.arange(1, 40)
    fast = radio.max_bits[:, None] >= radio.sla_rate[:, None] * ages * radio.slot_s
    late = (ages <= radio.sla_slots[:, None]) & (fast | (ages == 1))
    assert late.sum(1).tolist() == [12, 1, 5]
