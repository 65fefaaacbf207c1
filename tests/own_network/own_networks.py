"""A small network of one's own, as arrays and as files."""

import numpy as np

from wirelessenvs.cbf.bank import save_bank

#: Five sites around no centre, far from the origin.
SITES = np.array([[0, 0], [420, 60], [180, 390], [700, 350], [520, 640]]) + np.array([3e5, 5.2e6])
ANTENNAS = 2


def write_csv(path, table, header=None):
    lines = [] if header is None else [header]
    lines += [",".join(map(repr, row)) for row in np.asarray(table).tolist()]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def channels(drops=2, slots=6, cells=5, antennas=ANTENNAS, seed=0):
    """H and gain of a bank: links fade alike, and interferers are weaker."""
    rng = np.random.default_rng(seed)
    shape = (drops, slots, cells, cells, antennas)
    H = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / np.sqrt(2)
    gain = np.where(np.eye(cells, dtype=bool), 1e-10, 1e-12)
    return H.astype(np.complex64), gain


def write_bank(path, **sizes):
    H, gain = channels(**sizes)
    return str(save_bank(path, H, gain, SITES[: gain.shape[0]] + 40.0))


def play(simulator, seed=0, steps=4):
    """Everything a run returns under random actions, as one list of arrays."""
    trace = [simulator.reset(seed)]
    rng = np.random.default_rng(1)
    joint = (steps, simulator.num_agents)
    if hasattr(simulator.action_space, "n"):
        actions = rng.integers(simulator.action_space.n, size=joint)
    else:
        actions = rng.uniform(0, 1, (*joint, *simulator.action_space.shape))
    for action in actions:
        step = simulator.step(np.broadcast_to(action, (simulator.num_envs, *action.shape)))
        trace += [step.observations, step.rewards, *step.metrics.values(), simulator.state()]
    return trace
