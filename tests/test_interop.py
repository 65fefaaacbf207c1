"""Training libraries run on every task as their users would run them, and as the page says."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from task_cases import TASK_CASES

import wirelessenvs

pytestmark = pytest.mark.interop

PAGE = (Path(__file__).parent.parent / "docs" / "integrations.md").read_text()


def blocks():
    """(heading, code) of every Python block of the page, in its order."""
    found = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        codes = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
        found += [(heading, code) for code in codes]
    return found


def changed(model):
    """Whether a model of Stable-Baselines3 has been updated."""
    return model.num_timesteps > 0 and model._n_updates > 0


#: What must be installed, and what the variables of the block must show, block by block.
EXPECTED = [
    ("TorchRL", "torchrl", lambda v: v["rollout"].shape == (64, 100)),
    ("TorchRL", "torchrl", lambda v: v["present"].shape == (8, 100, 12) and not v["present"].all()),
    ("BenchMARL", "benchmarl", lambda v: v["experiment"].total_frames == 6000),
    ("Stable-Baselines3", "stable_baselines3", lambda v: changed(v["model"])),
    ("Stable-Baselines3, joint", "stable_baselines3", lambda v: changed(v["model"])),
    ("RLlib", "ray.rllib", lambda v: v["result"]["num_env_steps_sampled_lifetime"] >= 200),
    ("Tianshou", "tianshou", lambda v: v["collected"].n_collected_steps == 180),
    ("PyTorch Geometric", "torch_geometric", lambda v: np.allclose(
        v["heard"], v["simulator"].graph.mean_field(v["observations"]), atol=0.01)),
    ("Real-valued actions", "gymnasium", lambda v: plays(v["rescaled"])),
    ("Real-valued actions", "supersuit", lambda v: plays_parallel(v["rescaled"])),
]  # fmt: skip


def plays(env):
    env.reset(seed=0)
    space = env.action_space
    return (space.low == -1).all() and env.step(space.high)[1] > 0


def plays_parallel(env):
    """Bounds meet bounds: equal requests at both ends are the same equal shares."""
    rewards = []
    for end in ("low", "high"):
        env.reset(seed=0)
        actions = {agent: getattr(env.action_space(agent), end) for agent in env.agents}
        assert all((np.abs(action) == 1).all() for action in actions.values())
        rewards.append(env.step(actions)[1])
    return rewards[0] == rewards[1]


def test_every_block_of_the_page_has_an_expectation():
    assert [heading for heading, _ in blocks()] == [heading for heading, _, _ in EXPECTED]


@pytest.mark.parametrize("index", range(len(EXPECTED)), ids=lambda i: f"{i}-{EXPECTED[i][0]}")
def test_block_runs_as_printed(index, tmp_path, monkeypatch):
    heading, code = blocks()[index]
    _, module, holds = EXPECTED[index]
    pytest.importorskip(module, exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    variables = {"__name__": "recipe"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(code, heading, "exec"), variables)
    assert holds(variables)


def test_the_table_counts_the_lines_of_the_blocks():
    rows = re.findall(r"^\| \[([^\]]+)\]\(#([\w-]+)\)[^|]*\|[^|]*\| (\d+) \|", PAGE, re.M)
    first = {}
    for heading, code in blocks():
        name = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        first.setdefault(name, sum(bool(line.strip()) for line in code.splitlines()))
    assert {section: int(lines) for _, section, lines in rows} == {
        section: first[section] for _, section, _ in rows
    }
    assert {section for _, section, _ in rows} == first.keys() - {"real-valued-actions"}


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_stable_baselines_ppo_learns_through_supersuit(task_id, arguments):
    supersuit = pytest.importorskip("supersuit")
    ppo = pytest.importorskip("stable_baselines3").PPO
    env = wirelessenvs.make(task_id, max_steps=50, **arguments)
    vector = supersuit.pettingzoo_env_to_vec_env_v1(env)
    batch = supersuit.concat_vec_envs_v1(vector, 2, num_cpus=1, base_class="stable_baselines3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ppo("MlpPolicy", batch, n_steps=32, batch_size=64, n_epochs=1, device="cpu")
        before = [parameter.detach().clone() for parameter in model.policy.parameters()]
        model.learn(2 * len(env.possible_agents) * 32)
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))
    actions, _ = model.predict(batch.reset())
    assert len(actions) == 2 * len(env.possible_agents)


@pytest.mark.parametrize(("task_id", "arguments"), TASK_CASES)
def test_torchrl_rolls_out_through_its_pettingzoo_wrapper(task_id, arguments):
    wrapper = pytest.importorskip("torchrl.envs.libs.pettingzoo").PettingZooWrapper
    env = wirelessenvs.make(task_id, max_steps=50, **arguments)
    agents = env.possible_agents
    wrapped = wrapper(env, group_map={"agents": list(agents)}, use_mask=False, device="cpu")
    wrapped.set_seed(0)
    rollout = wrapped.rollout(5)
    assert rollout.batch_size[0] == 5
    observations = rollout["agents", "observation"]
    assert observations.shape[:2] == (5, len(agents))
    assert np.isfinite(rollout["next", "agents", "reward"].numpy()).all()
