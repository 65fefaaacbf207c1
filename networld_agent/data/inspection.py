"""What is in a data set, as text for people and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from networld_agent.data.dataset import TrajectoryDataset
from wirelessenvs.command import whole_file

__all__ = ["Magnitudes", "magnitudes", "plot", "summary"]

#: Agent-steps that quantiles are taken over; minima, maxima and means are over all.
SAMPLE = 100_000
_QUANTILES = (0.01, 0.5, 0.99)


@dataclass(frozen=True)
class Magnitudes:
    """Sizes of one array's entries over a random sample of agent-steps.

    Args:
        quantiles: `(entries, 3)` 1 %, median and 99 % of the values.
        below_10: `(entries,)` share of values with an absolute value below 10.
        all_below_10: the same share over all entries.
        mean: over all entries.
    """

    quantiles: NDArray[np.float64]
    below_10: NDArray[np.float64]
    all_below_10: float
    mean: float


def magnitudes(dataset: TrajectoryDataset, name: str, count: int = SAMPLE) -> Magnitudes:
    """Sizes of the entries of an array; the same sample for the same data set.

    Args:
        dataset: to look at.
        name: of an array with axes episode, agent, step.
        count: agent-steps to draw.
    """
    return _measure(_sample(dataset, name, count))


def _sample(dataset: TrajectoryDataset, name: str, count: int) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    array = dataset.array(name)
    episodes = dataset.episodes[rng.integers(dataset.num_episodes, size=count)]
    agents, steps = (rng.integers(size, size=count) for size in array.shape[1:3])
    rows: NDArray[Any] = array[episodes, agents, steps]
    return rows.reshape(count, -1)


def _measure(values: NDArray[Any]) -> Magnitudes:
    # An environment of others need not give every metric in every step: nan is no value.
    columns = [column[~np.isnan(column)] for column in values.T]
    known, no_value = np.concatenate(columns), np.full(1, np.nan)
    filled = [column if len(column) else no_value for column in columns]
    return Magnitudes(
        np.stack([np.quantile(column.astype(np.float64), _QUANTILES) for column in filled]),
        np.array([(np.abs(c) < 10).mean() if len(c) else np.nan for c in columns]),
        float((np.abs(known) < 10).mean()),
        float(known.mean()),
    )


def beam_magnitudes(dataset: TrajectoryDataset, count: int = SAMPLE) -> Magnitudes:
    """Magnitudes of the antennas' weights of "beams" that are on air, in sqrt(mW)."""
    reals = _sample(dataset, "beams", count)
    real, imaginary = np.split(reals, 2, axis=1)
    sizes = np.hypot(real, imaginary)
    return _measure(sizes[sizes > 0][:, None])


def summary(dataset: TrajectoryDataset) -> str:
    """The text of `python -m networld_agent.data inspect`."""
    about, found = dataset.description, dataset.metadata.statistics
    size = sum(info.layout.file_bytes for info in dataset.metadata.arrays.values())
    heard = "changes with the steps" if dataset.graph is None else (
        f"{int(dataset.graph.degrees.sum()) // 2} pairs of neighbours, degree "
        f"{dataset.graph.degrees.min()} to {dataset.graph.degrees.max()}"
    )  # fmt: skip
    if not about.graph_given:
        heard += " (the environment has no graph: complete)"
    returns, site = found["returns"], about.environment.get("deployment")
    lines = [
        f"{dataset.path}: {about.task}, {about.num_episodes} episodes x {about.num_agents} agents "
        f"x {about.steps} steps, {size / 1e9:.3f} GB",
        f"policy {about.policy}, epsilon {about.epsilon:g}, seeds {_range(about.seeds)}, "
        + ", ".join(f"{name} {version}" for name, version in about.versions.items()),
        f"graph: {heard}",
        *(["deployment: {family}/{split}/{index}".format(**site)] if site else []),
        "",
        "Reward per agent and step, over episodes:",
        "| mean | std | min | quartile | median | quartile | max |",
        "|---|---|---|---|---|---|---|",
        _row(returns[key] for key in ("mean", "std", "min", "lower_quartile", "median",
                                      "upper_quartile", "max")),
    ]  # fmt: skip
    if about.state_size:
        lines.insert(3, f"global state: {about.state_size} entries, before every action")
    if len(returns["per_policy"]) > 1:
        lines += [f"  episodes of {name}: {x:.4f}" for name, x in returns["per_policy"].items()]
    reward = found["rewards"]
    lines += [
        f"single rewards: {reward['min'][0]:.4g} to {reward['max'][0]:.4g}, "
        f"{100 * found['negative_rewards']:.1f} % negative",
        f"actions equal to the agent's last one: {100 * found['repeated_actions']:.1f} %",
        "",
    ]
    lines += _table(
        "Observations", dataset, "observations", about.observation.names, about.observation.units
    )
    lines += _table("Actions", dataset, "actions", about.action.names, about.action.units)
    if "beams" in about.forms:
        beams = beam_magnitudes(dataset)
        low, middle, high = beams.quantiles[0]
        lines += [
            f"Beam magnitude per antenna, where on: mean {beams.mean:.1f}, 1 % {low:.1f}, "
            f"median {middle:.1f}, 99 % {high:.1f} sqrt(mW)",
            "",
        ]
    if about.metrics:
        names = tuple(metric.name for metric in about.metrics)
        units = tuple(metric.unit for metric in about.metrics)
        lines += _table("Metrics", dataset, "metrics", names, units)
    return "\n".join(lines)


def _table(
    title: str,
    dataset: TrajectoryDataset,
    name: str,
    names: tuple[str, ...],
    units: tuple[str, ...],
) -> list[str]:
    found, sizes = dataset.metadata.statistics[name], magnitudes(dataset, name)
    lines = [
        f"{title}: {100 * sizes.all_below_10:.1f} % of entries below 10 in magnitude",
        "| entry | unit | min | 1 % | median | 99 % | max | mean | std | below 10 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for i, (entry, unit) in enumerate(zip(names, units, strict=True)):
        low, middle, high = sizes.quantiles[i]
        values = (found["min"][i], low, middle, high, found["max"][i], found["mean"][i],
                  found["std"][i])  # fmt: skip
        share = f"{100 * sizes.below_10[i]:.1f} %"
        lines.append(f"| {entry} | {unit or '-'} " + _row(values)[:-1] + f"| {share} |")
    return [*lines, ""]


def _row(values: Any) -> str:
    return "| " + " | ".join("-" if x is None else f"{x:.5g}" for x in values) + " |"


def _range(seeds: tuple[int, ...]) -> str:
    if seeds == tuple(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
    return f"{len(seeds)} from {min(seeds)} to {max(seeds)}"


def plot(dataset: TrajectoryDataset, path: Path) -> None:
    """Draws returns, actions, and the magnitude of every observation entry.

    Raises:
        ImportError: if Matplotlib is not installed.
        ValueError: if the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need Matplotlib: pip install 'wirelessenvs[render]'.") from None
    about, found = dataset.description, dataset.metadata.statistics
    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = figure.subplot_mosaic([["returns", "actions"], ["entries", "entries"]])
    returns, actions, entries = panels["returns"], panels["actions"], panels["entries"]
    figure.suptitle(f"{about.task}, policy {about.policy}, epsilon {about.epsilon:g}")
    means = np.array(found["episode_mean_rewards"])
    policies = np.array(about.episode_policies)
    groups = sorted(set(policies.tolist()))
    returns.hist([means[policies == name] for name in groups], bins=30, stacked=True, label=groups)
    if len(groups) > 1:
        returns.legend()
    returns.set(xlabel="mean reward per agent and step", ylabel="episodes", title="Returns")
    if "action_histogram" in found:
        counts = np.array(found["action_histogram"])
        actions.bar(about.action.start + np.arange(counts.size), counts / counts.sum())
    else:
        columns = _sample(dataset, "actions", SAMPLE)
        actions.hist(columns, bins=40, histtype="step", density=True, label=about.action.names)
        actions.legend(fontsize="small")
    unit = about.action.units[0]
    actions.set(
        xlabel=f"{about.action.names[0]} ({unit})" if len(about.action.names) == 1 else unit,
        ylabel="share" if "action_histogram" in found else "density",
        title=f"Actions; {100 * found['repeated_actions']:.0f} % equal the last one",
    )
    quantiles = magnitudes(dataset, "observations").quantiles
    x = np.arange(len(quantiles))
    entries.fill_between(x, quantiles[:, 0], quantiles[:, 2], step="mid", alpha=0.3,
                         label="1 % to 99 %")  # fmt: skip
    entries.step(x, quantiles[:, 1], where="mid", label="median")
    entries.plot(x, found["observations"]["max"], ".", color="tab:red", label="max")
    entries.set_yscale("symlog", linthresh=1)
    entries.set_xticks(x, about.observation.names, rotation=90, fontsize=5 if len(x) > 30 else 8)
    entries.set(title="Observation entries, raw", ylabel="value")
    entries.legend()
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
