"""Banks of channels: what is stored is what is played, or a sentence says what was expected."""

import dataclasses
import zipfile

import numpy as np
import pytest
from own_networks import ANTENNAS, SITES, channels, play, write_bank

from wirelessenvs import make_simulator
from wirelessenvs.cbf.bank import load_bank, save_bank
from wirelessenvs.policy import Information
from wirelessenvs.tasks import get_task, make_policy

NETWORK = {"sites": SITES, "num_antennas": ANTENNAS, "num_interferers": 3, "channel": "bank"}


@pytest.fixture
def bank(tmp_path):
    return write_bank(tmp_path / "bank.npz")


def test_slots_of_one_drop_are_played_in_order_again_and_again(bank):
    H, gain = channels()
    absolute = H.astype(complex) * np.sqrt(gain)[..., None]
    simulator = make_simulator("cbf-v0", 8, **NETWORK, bank=bank)
    simulator.reset(3)
    seen = []
    for _ in range(8):
        seen.append(simulator.privileged(Information.GENIE).channel)
        simulator.step(np.zeros((8, 5), int))
    starts = set()
    for env in range(8):
        first = np.abs(absolute - seen[0][env]).max((2, 3, 4))
        drop, slot = np.unravel_index(first.argmin(), first.shape)
        starts.add((drop, slot))
        for t in range(8):
            np.testing.assert_allclose(seen[t][env], absolute[drop, (slot + t) % 6], rtol=1e-12)
        np.testing.assert_array_equal(simulator.ue_positions[env], SITES + 40)
    assert len(starts) > 3


def test_rates_follow_from_the_bank_alone(bank):
    simulator = make_simulator("cbf-v0", 1, **NETWORK, bank=bank, action="beam")
    simulator.reset(0)
    channel = simulator.privileged(Information.GENIE).channel[0]
    w = np.full((5, 2 * ANTENNAS), 3.0)
    step = simulator.step(w[None])
    beams = w[:, :ANTENNAS] + 1j * w[:, ANTENNAS:]
    received = np.abs(np.einsum("ikn,in->ik", channel, beams)) ** 2
    signal = np.diag(received)
    sinr = signal / (received.sum(0) - signal + simulator.config.noise_mw)
    np.testing.assert_allclose(step.metrics["rate"][0], np.log2(1 + sinr), rtol=1e-9)
    np.testing.assert_allclose(step.metrics["sinr_db"][0], 10 * np.log10(sinr), rtol=1e-9)


def test_a_batch_equals_its_single_environments(bank):
    batch = play(make_simulator("cbf-v0", 3, **NETWORK, bank=bank), seed=5)
    for env in range(3):
        single = play(make_simulator("cbf-v0", 1, **NETWORK, bank=bank), seed=5 + env)
        for one, other in zip(batch, single, strict=True):
            np.testing.assert_array_equal(one[env], other[0])


@pytest.mark.parametrize("policy", ["random", "greedy", "coordinate-ascent", "expert", "fp"])
@pytest.mark.parametrize("action", ["codebook", "beam"])
def test_policies_play_a_bank(bank, policy, action):
    simulator = make_simulator("cbf-v0", 2, **NETWORK, bank=bank, action=action)
    rule = make_policy(policy, simulator)
    observations = simulator.reset(0)
    step = simulator.step(rule(observations, simulator.privileged(rule.information)))
    assert np.isfinite(step.rewards).all()


def test_the_contents_of_a_bank_are_its_identity(bank, tmp_path):
    config = make_simulator("cbf-v0", **NETWORK, bank=bank).config
    again = write_bank(tmp_path / "again.npz")
    other = write_bank(tmp_path / "other.npz", seed=9)
    assert make_simulator("cbf-v0", **NETWORK, bank=again).config == config
    assert make_simulator("cbf-v0", **NETWORK, bank=other).config != config
    assert dataclasses.replace(config, num_beams=4).bank_sha256 == load_bank(bank).sha256
    with pytest.raises(ValueError, match=r"bank must be the file with bank_sha256 '.*got another"):
        dataclasses.replace(config, bank=other)


def test_a_lost_bank_is_named_with_its_checksum(bank, tmp_path):
    config = make_simulator("cbf-v0", **NETWORK, bank=bank).config
    (tmp_path / "bank.npz").unlink()
    with pytest.raises(ValueError, match=rf"bank\.npz.*Its SHA-256 must be '{config.bank_sha256}'"):
        dataclasses.replace(config)


def test_a_bank_that_changed_after_its_configuration_is_not_played(bank, tmp_path):
    config = make_simulator("cbf-v0", **NETWORK, bank=bank).config
    for other in ({"seed": 9}, {"antennas": 3}):
        write_bank(tmp_path / "bank.npz", **other)
        with pytest.raises(ValueError, match=rf"bank_sha256 '{config.bank_sha256}', got another"):
            get_task("cbf-v0").simulator(config, 1)


def test_a_configuration_finds_its_bank_from_another_folder(bank, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = make_simulator("cbf-v0", **NETWORK, bank="bank.npz").config
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert dataclasses.replace(config).bank == bank


H, GAIN = channels()
DEAF = H.copy()
DEAF[1, :, 3, 3] = 0
BAD = [
    ({"H": H.real}, r"H must be complex64 or complex128, got float32"),
    ({"H": H[0, 0]}, r"H must have shape \(drops, slots, BSs, UEs, antennas\).* got \(5, 5, 2\)"),
    ({"H": H[..., :3, :]}, r"as many UEs as BSs"),
    ({"H": H * np.nan}, r"H must be finite, got \(?nan.*at \(0, 0, 0, 0, 0\)"),
    ({"H": H}, r"at most 1, got .*: give large-scale gains as the array gain"),
    ({"H": H, "gain": 10 * np.log10(GAIN)}, r"linear power gains between 0 and 1 .* got -120"),
    ({"H": H, "gain": GAIN[:3]}, r"gain must be real numbers of shape \(5, 5\) or \(2, 5, 5\)"),
    ({"H": 0 * H, "gain": GAIN}, r"UE k must hear BS k.* of 1e-12 at least, got at most 0 of UE 0"),
    ({"H": H * 1e-30}, r"must hear BS k, which serves it, in every drop .* of UE 0 in drop 0\.$"),
    ({"H": DEAF, "gain": GAIN}, r"1e-12 at least, got at most 0 of UE 3 in drop 1\.$"),
    ({"H": H, "gain": GAIN, "users": SITES[:2]}, r"users must be real numbers of shape \(5, 2\)"),
    ({"gain": GAIN}, r"must hold the array H, and may hold gain and users, got gain"),
    ({"H": H, "gain": GAIN, "tau": GAIN}, r"may hold gain and users, got H, gain, tau"),
]


@pytest.mark.parametrize(("arrays", "sentence"), BAD)
def test_a_bank_that_does_not_fit_is_told_in_a_sentence(arrays, sentence, tmp_path):
    path = tmp_path / "bank.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("cbf-v0", **NETWORK, bank=path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")
    if "H" in arrays and "tau" not in arrays:
        with pytest.raises(ValueError, match=sentence):
            save_bank(tmp_path / "new.npz", **arrays)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"bank": None}, r"bank must name a file for channel='bank', got None"),
        ({"num_antennas": 3}, r"num_antennas = 3, got 5 and 2 in"),
        ({"sites": SITES[:4]}, r"num_cells = 4 and num_antennas = 2, got 5 and 2"),
        ({"users": SITES + 9}, r"users must be None with channel='bank'"),
        ({"channel": "fading"}, r"bank must be None without channel='bank'"),
        ({"channel": "rays"}, r"channel must be one of 'fading', 'bank'"),
    ],
)
def test_arguments_that_do_not_fit_a_bank_are_told(bank, arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        make_simulator("cbf-v0", **{**NETWORK, "bank": bank, **arguments})
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"x,y\n1,2\n"])
def test_other_files_are_no_banks(content, tmp_path):
    path = tmp_path / "bank.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be an \.npz file with an array H.*\.$"):
        load_bank(path)


@pytest.mark.parametrize("header", ["((((((((", '"unclosed', "1" * 5000, "{'descr': '<f8'"])
def test_a_damaged_header_is_told(header, tmp_path):
    path = tmp_path / "bank.npz"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("H.npy", start + header.encode())
    with pytest.raises(ValueError, match=r"bank\.npz must be an \.npz file with an array H \(.+\)"):
        load_bank(path)
    (tmp_path / "sites.npy").write_bytes(start + header.encode())
    with pytest.raises(ValueError, match=r"sites: .*sites\.npy is no array of NumPy \(.+\)\.$"):
        make_simulator("cbf-v0", sites=tmp_path / "sites.npy")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"H": [[1, 2], [3]]}, "H must be an array of numbers, got"),
        ({"gain": [[1, 2], [3]]}, "gain must be an array of numbers, got"),
        ({"path": 5}, "path of a bank must be that of a file, got 5"),
        ({"gain": np.where(np.eye(5), np.nan, GAIN)}, "gain of drop 0 .* got nan in row 0, column"),
    ],
)
def test_what_is_no_bank_is_told_with_its_argument(arguments, sentence, tmp_path):
    with pytest.raises((TypeError, ValueError), match=sentence):
        save_bank(**{"path": tmp_path / "bank.npz", "H": H, "gain": GAIN, **arguments})
