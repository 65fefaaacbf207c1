"""The diagnostics page: one HTML file with plots and verdicts, nothing to load from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from networld_agent.diagnostics.measurements import Measurements
from networld_agent.page import Block, Heading, Lines, Table, Text, Verdicts, as_html, drawn

__all__ = ["diagnostics_page", "draw", "verdicts"]

_STYLES = {
    "world model": "-", "world model, one step": "-.", "linear": "--", "persistence": ":",
}  # fmt: skip


def verdicts(found: Measurements) -> list[tuple[bool, str]]:
    """Sentences on what works and what does not, with the figures."""
    errors = {name: np.array(values) for name, values in found.prediction_errors.items()}
    ahead = min(8, len(errors["world model"]))
    # The mean future, as the linear model gives; that of a few plans has their spread in it.
    names = ("world model, one step", "world model", "linear", "persistence")
    model, plans, linear, still = (float(errors[name][ahead - 1]) for name in names)
    sentences = [
        (
            model < min(linear, still),
            f"{ahead} steps ahead, the world model misses {model:.3f} of the latents' variance "
            f"(mean of its plans {plans:.3f}, linear model {linear:.3f}, persistence {still:.3f}).",
        ),
        (
            found.actions.model > max(found.actions.repeating, found.actions.commonest),
            f"The inverse dynamics model recovers {found.actions.model:.1%} of held-out actions "
            f"(repeating the last one {found.actions.repeating:.1%}, always the commonest "
            f"{found.actions.commonest:.1%}).",
        ),
        (
            found.rank_correlations[0] > 0.3,
            "Predicted and true returns have rank correlation "
            f"{found.rank_correlations[0]:.2f} at the least noisy level and "
            f"{found.rank_correlations[-1]:.2f} at the noisiest.",
        ),
        (
            found.effective_rank > 3,
            f"Latents use {found.effective_rank:.1f} of {found.latent_size} directions.",
        ),
    ]
    lifts = {lift.mode: lift for lift in found.lifts}
    if "guide" in lifts:
        low, high = lifts["guide"].interval
        sentences.append((
            low > 0,
            f"Guidance lifts the mean reward by {lifts['guide'].lift:.4g} "
            f"[{low:.4g}, {high:.4g}].",
        ))  # fmt: skip
        repeats = lifts["guide"].repeated
        usual = lifts["expert"].repeated if "expert" in lifts else found.expert_repeats
        sentences.append((
            repeats < usual + 0.1,
            f"{repeats:.1%} of its actions repeat the last one (the expert: {usual:.1%}).",
        ))  # fmt: skip
    return sentences


def draw(found: Measurements, figure: Any) -> None:
    """Six panels of one task into a matplotlib figure."""
    axes = figure.subplots(2, 3)
    ahead = np.arange(1, len(found.prediction_errors["world model"]) + 1)
    for name, values in found.prediction_errors.items():
        axes[0, 0].plot(ahead, values, _STYLES[name], color="C0", label=f"own, {name}")
    for name, values in found.neighbor_errors.items():
        axes[0, 0].plot(ahead, values, _STYLES[name], color="C1", label=f"heard, {name}")
    axes[0, 0].set(
        title="Latent prediction", xlabel="steps ahead", ylabel="error / variance", ylim=(0, None)
    )
    axes[0, 0].legend(fontsize=7)

    accuracy = found.actions
    names = ["inverse\ndynamics", "unsteered\nplan", "repeat\nlast", "always\ncommonest"]
    shares = [accuracy.model, found.planned_actions, accuracy.repeating, accuracy.commonest]
    axes[0, 1].bar(names, shares, color=["C0", "C2", "C7", "C7"])
    axes[0, 1].set(title="Held-out actions recovered", ylim=(0, 1))
    axes[0, 1].tick_params(axis="x", labelsize=8)

    axes[0, 2].plot(found.signal_shares, found.rank_correlations, "o-", markersize=3)
    axes[0, 2].set(
        title="Predicted against true return",
        xlabel="signal share of the noise level",
        ylabel="rank correlation",
        ylim=(min(-0.1, *found.rank_correlations), 1),
    )
    axes[0, 2].axhline(0, color="0.8", linewidth=0.8)

    shown = [lift for lift in found.lifts if lift.mode not in ("none", "expert")]
    if shown:
        middles = [lift.lift for lift in shown]
        reach = np.array([[x.lift - x.interval[0], x.interval[1] - x.lift] for x in shown]).T
        axes[1, 0].bar([lift.mode for lift in shown], middles, yerr=reach, capsize=4)
        axes[1, 0].axhline(0, color="0.5", linewidth=0.8)
    else:
        axes[1, 0].text(0.5, 0.5, "no environment", ha="center", transform=axes[1, 0].transAxes)
    axes[1, 0].set(title="Reward above the unsteered plan")

    axes[1, 1].bar(np.arange(1, found.latent_size + 1), found.dimension_variances)
    axes[1, 1].set(
        title=f"Latents: effective rank {found.effective_rank:.1f} of {found.latent_size}",
        xlabel="dimension",
        ylabel="variance",
    )

    rates = {"data": found.expert_repeats, **{x.mode: x.repeated for x in found.lifts}}
    axes[1, 2].bar(list(rates), list(rates.values()), color="C4")
    axes[1, 2].set(title="Actions equal to the last one", ylim=(0, 1))
    figure.tight_layout()


def diagnostics_page(found: Sequence[Measurements], about: Sequence[str]) -> str:
    """The page as HTML.

    Args:
        found: one per task.
        about: lines on model, data and machine.
    """
    blocks: list[Block | Lines | Verdicts] = [
        Heading("World model diagnostics", 1),
        Lines(tuple(about)),
    ]
    for entry in found:
        blocks += _blocks(entry)
    return as_html("Diagnostics", blocks)


def _blocks(found: Measurements) -> list[Block | Lines | Verdicts]:
    lifts = tuple(
        (
            lift.mode,
            f"{lift.reward:.4g}",
            f"{lift.lift:.4g} [{lift.interval[0]:.4g}, {lift.interval[1]:.4g}]",
            f"{lift.repeated:.1%}",
        )
        for lift in found.lifts
    )
    moves = ", ".join(f"{name} {size:.3f}" for name, size in found.first_moves.items())
    return [
        Heading(found.task),
        Verdicts(tuple(verdicts(found))),
        drawn(lambda figure: draw(found, figure), (13, 7.2), "Diagnostics"),
        *(
            [Table("lifts", ("planning", "reward", "lift [95 %]", "repeats"), lifts)]
            if lifts
            else []
        ),
        Text(f"Root mean square of a plan's first step in latents: {moves}."),
    ]
