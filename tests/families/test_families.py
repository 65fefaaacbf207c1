"""Families are pure functions of (family, split, index), and their splits never mix."""

import copy
import hashlib
import pickle
import time

import numpy as np
import pytest

import wirelessenvs
from wirelessenvs.families import FAMILIES, Deployment, deployments, get_family
from wirelessenvs.families.deployment import FACADES
from wirelessenvs.joint import JointEnv
from wirelessenvs.parallel import WirelessParallelEnv
from wirelessenvs.simulator import Simulator
from wirelessenvs.vector import WirelessVectorEnv

SPLITS = [(name, split) for name, family in FAMILIES.items() for split in family.splits]

#: SHA-256 over the first 16 deployments, by family and version: a change of any needs a new
#: version, since models are trained and judged on them.
PINNED = {
    ("rb", 0, "train"): "ddaada9c84712785",
    ("rb", 0, "validation"): "15e474071dda8602",
    ("rb", 0, "test"): "51caf971be80239e",
    ("rb", 0, "beyond-size"): "74d81c086928dd98",
    ("rb", 0, "beyond-load"): "ea8e92a256cd8bb3",
    ("rb", 0, "beyond-unevenness"): "cfcf5829341a6c48",
    ("cbf", 0, "train"): "a6035bb2c3aaa222",
    ("cbf", 0, "validation"): "650781fdf42b8264",
    ("cbf", 0, "test"): "f1d6c5758f2e44c4",
    ("cbf", 0, "beyond-small"): "bf9b0153c4f0e603",
    ("cbf", 0, "beyond-size"): "311cf57aef67e2f2",
    ("cbf", 0, "beyond-shadowing"): "ffa3dbcaae22d03e",
    ("cbf", 0, "beyond-slow-fading"): "0883717e1631fb0d",
    ("cbf", 0, "beyond-fast-fading"): "ad2191c259da19cb",
    ("slicing", 0, "train"): "b04428eb0c352549",
    ("slicing", 0, "validation"): "77a90ba2257da9f7",
    ("slicing", 0, "test"): "1d6d650dfdb09c2b",
    ("slicing", 0, "beyond-size"): "ca1e0f7acffa83a5",
    ("slicing", 0, "beyond-volte"): "b44fb5653303250c",
    ("slicing", 0, "beyond-video"): "cbb7e6c6318005fa",
    ("slicing", 0, "beyond-urllc"): "daf381577052b089",
}


def digest(family, split):
    fingerprints = "".join(site.fingerprint for site in deployments(family, split)[:16])
    return hashlib.sha256(fingerprints.encode()).hexdigest()[:16]


def test_the_package_gives_deployments_by_name():
    site = wirelessenvs.deployments("rb", "test")[17]
    assert isinstance(site, Deployment)
    assert (site.name, repr(site)) == ("rb/test/17", "Deployment('rb/test/17')")
    assert site == wirelessenvs.deployments("rb", "test")[17]


@pytest.mark.parametrize(("family", "split"), SPLITS)
def test_the_first_deployments_are_pinned(family, split):
    assert digest(family, split) == PINNED[family, get_family(family).version, split]


@pytest.mark.parametrize(("family", "split"), SPLITS)
def test_drawing_depends_on_nothing_else_and_takes_less_than_10_ms(family, split):
    listed = deployments(family, split)
    late = listed[1000]
    listed[3], deployments(family, "train")[1000]
    assert listed[1000] == late
    assert listed[1000] != listed[1001]
    times = []
    for index in range(50):
        start = time.perf_counter()
        listed[index]
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.010


@pytest.mark.parametrize("family", FAMILIES)
def test_no_deployment_is_in_two_splits(family):
    seen = [
        site.fingerprint for s in FAMILIES[family].splits for site in deployments(family, s)[:300]
    ]
    assert len(set(seen)) == len(seen)


def test_no_two_layouts_share_a_seed():
    """By construction, not by chance: the seed holds split and index."""
    ends = [deployments("cbf", split)[i] for split in FAMILIES["cbf"].splits for i in (0, -1)]
    seeds = [site.config.layout_seed for site in ends]
    assert seeds == sorted(set(seeds))
    assert seeds[0] > 2019  # the published layout


@pytest.mark.parametrize("family", FAMILIES)
def test_validation_and_test_follow_the_law_of_training(family):
    splits = FAMILIES[family].splits
    assert splits["train"] == splits["validation"] == splits["test"]
    beyond = [law for split, law in splits.items() if split.startswith("beyond-")]
    assert len(beyond) == len(splits) - 3 > 0
    assert all(law != splits["train"] for law in beyond)


@pytest.mark.parametrize(("family", "split"), SPLITS)
def test_sizes_are_those_of_the_law(family, split):
    law = FAMILIES[family].splits[split]
    sizes = [
        getattr(site.config, "num_nodes", None) or site.config.num_cells
        for site in deployments(family, split)[:60]
    ]
    assert set(sizes) == set(law.sizes)


def test_radio_clusters_keep_to_their_law():
    for split, law in FAMILIES["rb"].splits.items():
        uneven = 0
        for site in deployments("rb", split)[:200]:
            config = site.config
            assert law.load[0] - 1e-6 < config.offered_load < law.load[1] + 1e-6
            assert config.node_rates.max() <= 8
            assert law.modulation[0] <= config.modulation <= law.modulation[1]
            uneven += len(set(config.mean_rate)) > 1
        assert uneven / 200 == pytest.approx(law.uneven, abs=0.1)


def test_sliced_networks_keep_to_their_law():
    for split, law in FAMILIES["slicing"].splits.items():
        for site in deployments("slicing", split)[:100]:
            config = site.config
            assert 49 < config.num_users / config.num_cells < 161
            assert sum(config.user_mix) == pytest.approx(1)
            assert law.urllc_bytes[0] <= config.urllc_packets[0] <= law.urllc_bytes[1]
            assert config.reward == "lstm-a2c"


# ------------------------------------------------------------------------------ façades
@pytest.mark.parametrize("family", FAMILIES)
def test_every_facade_is_made_at_the_same_site(family):
    site = deployments(family, "test")[17]
    kinds = {
        "parallel": WirelessParallelEnv,
        "joint": JointEnv,
        "vector": WirelessVectorEnv,
        "simulator": Simulator,
    }
    firsts = []
    for facade, kind in kinds.items():
        batch = {"num_envs": 2} if facade in ("vector", "simulator") else {}
        length = {"parallel": "max_cycles", "simulator": "max_steps"}.get(
            facade, "max_episode_steps"
        )
        made = site.make(facade, context=True, **{length: 5}, **batch)
        assert isinstance(made, kind)
        simulator = getattr(made, "simulator", made)
        assert simulator.config == site.configure(max_steps=5, context=True)
        if facade == "simulator":
            firsts.append(made.reset(4)[0])
        else:
            observations, _ = made.reset(seed=4)
            rows = observations.values() if facade == "parallel" else observations
            firsts.append(np.array([*rows]) if facade != "vector" else observations[0])
    for other in firsts[1:]:
        assert np.array_equal(other, firsts[0])


def test_deployments_are_copied_and_pickled():
    site = deployments("slicing", "validation")[5]
    for twin in (copy.deepcopy(site), pickle.loads(pickle.dumps(site))):
        assert twin == site
        assert twin.config == site.config
    assert hash(site) == hash(deployments("slicing", "validation")[5])


# ---------------------------------------------------------------------------- bad input
def test_unknown_names_list_what_exists():
    with pytest.raises(ValueError, match="family must be one of 'rb', 'cbf', 'slicing', got 'lte'"):
        deployments("lte", "train")
    with pytest.raises(
        ValueError, match="split of family 'rb' must be one of 'train', 'validation', 'test', 'bey"
    ):
        deployments("rb", "tests")


def test_an_index_is_a_number_of_the_split():
    listed = deployments("rb", "train")
    assert listed[-1] == listed[len(listed) - 1]
    assert [site.index for site in listed[10:14:2]] == [10, 12]
    for index in (len(listed), -len(listed) - 1):
        with pytest.raises(
            IndexError, match="index of a deployment must be between 0 and 16777215"
        ):
            listed[index]
    with pytest.raises(TypeError, match=r"index of a deployment must be an integer, got 1\.5"):
        listed[1.5]


REPLACED = {
    "rb": {"trace": [[1]]},
    "cbf": {"sites": [[0, 0], [9, 9]], "users": [[0, 0]], "bank": "b.npz"},
    "slicing": {
        "slices": ("video", "urllc"), "user_classes": [0, 1], "sites": [[0, 0], [9, 9]],
        "users": [[0, 0]], "trace": [[1, 1, 1]],
    },
}  # fmt: skip


def test_what_a_deployment_fixes_cannot_be_changed():
    site = deployments("rb", "test")[17]
    with pytest.raises(TypeError, match="num_nodes is fixed by deployment rb/test/17"):
        site.make(num_nodes=4)
    # Nor by a detour: a load would scale the rates.
    with pytest.raises(TypeError, match="load is fixed by deployment rb/test/17"):
        site.make(load=0.5)
    with pytest.raises(TypeError, match="preset is fixed by deployment rb/test/17"):
        site.make("simulator", preset="rb-9")
    for family, more in REPLACED.items():
        other = deployments(family, "test")[17]
        for name, value in more.items():
            sentence = rf"^{name} would replace what deployment {family}/test/17 fixes: leave"
            with pytest.raises(TypeError, match=sentence):
                other.make(**{name: value})
    for facade in FACADES:
        with pytest.raises(TypeError, match="unexpected keyword argument 'nodes'"):
            site.make(facade, nodes=4)
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_envs'"):
        site.make("joint", num_envs=4)
    with pytest.raises(ValueError, match="facade must be one of 'parallel', 'joint', 'vector', 's"):
        site.make("batch")
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        site.make(max_cycles=0)
