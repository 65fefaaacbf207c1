"""Tables of configurations that do not ship: cheaper to learn, and kept on disk."""

import dataclasses

import numpy as np
import pytest

from wirelessenvs.families import deployments, tables
from wirelessenvs.rollout import run_policy
from wirelessenvs.slicing import (
    POLICIES,
    SlicingConfig,
    SlicingSimulator,
    learn,
    model,
    slice_model,
)

CONFIG = SlicingConfig.from_preset(
    "small", num_users=70, slots_per_window=50, urllc_packets=(1e5,), reward="lstm-a2c"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WIRELESSENVS_CACHE", str(tmp_path / "cache"))
    model._learnt.cache_clear()
    yield tmp_path / "cache"
    model._learnt.cache_clear()


def forget():
    model._learnt.cache_clear()


def same(first, second):
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name))
        for field in dataclasses.fields(first)
    )


def test_a_table_is_learnt_once(folder, monkeypatch):
    learnt = slice_model(CONFIG)
    (path,) = folder.iterdir()
    assert learnt.fingerprint in path.name
    forget()
    monkeypatch.setattr(model, "learn", None)  # would raise
    assert same(slice_model(CONFIG), learnt)
    assert same(slice_model(dataclasses.replace(CONFIG, max_steps=3, context=True)), learnt)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04nothing", b"\x93NUMPY"])
def test_a_damaged_table_is_learnt_anew(folder, damage):
    learnt = slice_model(CONFIG)
    (path,) = folder.iterdir()
    path.write_bytes(damage)
    forget()
    assert same(slice_model(CONFIG), learnt)
    forget()
    assert path.stat().st_size > 1000  # mended


def test_without_a_place_to_keep_it_a_table_is_learnt_in_memory(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WIRELESSENVS_CACHE", str(tmp_path / "file"))
    forget()
    assert slice_model(CONFIG).fingerprint == model.fingerprint(CONFIG)
    forget()


def test_tables_between_numbers_of_blocks_are_interpolated():
    simulator = SlicingSimulator(CONFIG, 2)
    simulator.reset(0)
    fine, coarse = simulator.window_tables(), simulator.window_tables(every=4)
    assert coarse.choices[-1] == fine.choices[-1]
    index = np.searchsorted(fine.choices, coarse.choices)
    assert np.array_equal(fine.ssr[..., index], coarse.ssr)
    between = model._between(coarse.choices, coarse.ssr, fine.choices)
    assert np.array_equal(between[..., index], coarse.ssr)
    k = 1  # a choice between two that were simulated
    low, high = coarse.choices[:2]
    share = (fine.choices[k] - low) / (high - low)
    straight = (1 - share) * coarse.ssr[..., 0] + share * coarse.ssr[..., 1]
    assert between[..., k] == pytest.approx(straight)


@pytest.mark.long
def test_the_cheap_table_costs_the_expert_little(folder):
    """At most a tenth of its lead over the best fixed split, on a configuration that ships."""
    config = SlicingConfig.from_preset("paper", urllc_packets="medium", reward="lstm-a2c")
    cheap = learn(config, 16, 4, every=4)
    simulator = SlicingSimulator(config, 4)
    scores = {}
    for name, table in (("shipped", slice_model(config)), ("cheap", cheap)):
        policy = POLICIES["expert"](simulator.spec, 4)
        policy._model = table
        scores[name] = run_policy(simulator, policy, 30, 500)["reward"].mean()
    static = run_policy(simulator, POLICIES["static"](simulator.spec, 4), 30, 500)["reward"].mean()
    assert scores["cheap"] - static > 0.9 * (scores["shipped"] - static) > 1


# ------------------------------------------------------------------------------ command
def test_the_command_fills_the_cache(folder, capsys, monkeypatch):
    assert tables.main(["test", "--deployments", "1", "--processes", "1"]) == 0
    assert "1 tables in" in capsys.readouterr().out
    (path,) = folder.iterdir()
    assert model.fingerprint(deployments("slicing", "test")[0].config) in path.name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tests"], "split of family 'slicing' must be one of 'train'"),
        (["test", "--deployments", "0"], "--deployments must be at least 1"),
        (["test", "--processes", "0"], "--processes must be between 1 and 1024"),
    ],
)
def test_faults_end_in_one_sentence_and_status_two(arguments, sentence, capsys):
    assert tables.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sentence in error
