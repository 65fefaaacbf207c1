"""Examples of the data set's docs run as printed."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from networld_agent import collect as command
from networld_agent.collecting import CollectionSettings, collect
from networld_agent.data import TrajectoryDataset
from networld_agent.data import __main__ as data_command

DOCS = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
COMMANDS = re.findall(r"^python -m (networld_agent\.\w+)(.*?)(?:#.*)?$", DOCS, flags=re.MULTILINE)


BLOCKS = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)


def test_the_example_of_reading_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collect(CollectionSettings(env="rb-v0", episodes=10, steps=40), "data/rb-8-expert")
    names = {}
    exec(compile(BLOCKS[0], "data.md", "exec"), names)
    assert names["windows"].observations.shape == names["neighbors"].shape == (32, 8, 33, 4)
    assert names["windows"].rewards.shape == (32, 8, 32)
    assert names["held_out"].segments.tolist() == [[9, 0, 41]]
    assert names["few_shot"].num_episodes == 10


def test_the_example_of_a_rule_is_collected(tmp_path, monkeypatch):
    block = BLOCKS[1]
    (tmp_path / "my_rules.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    settings = CollectionSettings(env="rb-v0", policy="my_rules:Half", episodes=2, steps=40)
    data = TrajectoryDataset.open(collect(settings, tmp_path / "data"))
    asked = np.minimum(data.observations[:, :, :-1, 1] // 2, 10)
    assert (data.actions == asked).mean() > 0.9  # all but the random ones


def test_the_example_of_d3rlpy_runs(tmp_path, monkeypatch):
    pytest.importorskip("d3rlpy")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    path = collect(CollectionSettings(env="rb-v0", episodes=2, steps=20), tmp_path / "data")
    words = ["export", str(path), "--minari-id", "rb/agents-v0", "--per-agent"]
    assert data_command.main(words) == 0
    names = {}
    exec(compile(BLOCKS[2], "data.md", "exec"), names)
    assert len(names["buffer"].episodes) == 16
    assert names["buffer"].dataset_info.action_size == 11


def test_the_examples_of_tables_batches_and_graphs_run(tmp_path, monkeypatch):
    for module in ("pandas", "networkx", "torch_geometric"):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    collect(CollectionSettings(env="rb-v0", episodes=3, steps=40), "data/rb-8-expert")
    names = {}
    exec(compile(BLOCKS[3], "data.md", "exec"), names)
    assert len(names["table"]) == 3 * 8 * 40
    assert names["queues"].index.tolist() == list(names["dataset"].description.agents)
    assert names["batch"]["observations"].shape == (32, 8, 33, 4)
    assert names["network"].number_of_edges() == names["data"].num_edges == 32
    assert names["data"].edge_attr.shape == (32, 1)


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_commands_have_the_options_that_the_docs_name(module, arguments, monkeypatch):
    called = []
    chosen = command if module == "networld_agent.collect" else data_command
    monkeypatch.setattr(chosen, "run", lambda function, options: called.append(options) or 0)
    words = shlex.split(re.sub(r"\[.*?\]", "", arguments))
    assert chosen.main(words) == 0
    assert len(called) == 1


def test_the_tier_table_names_the_policies_that_play():
    from networld_agent.collecting.tiers import TIERS, tier_policy
    from wirelessenvs.tasks import TASKS

    rows = {
        row.split("|")[1].split("`")[1]: row for row in DOCS.splitlines() if row.startswith("| `")
    }
    for tier in set(TIERS) - {"mixed"}:
        for task in TASKS.values():
            assert f"`{tier_policy(task, tier, task.config.from_preset())}`" in rows[tier]
