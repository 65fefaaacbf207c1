"""The diagnostics page of a world model: verdicts and plots in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.studies.dima_diagnosis.model_checks import ORDERS, AgentEffects, Prediction
from benchmarks.studies.dima_diagnosis.policy_checks import Play, RewardEffects
from networld_agent.page import Heading, Lines, Table, Verdicts, as_html, drawn

__all__ = ["Diagnosis", "diagnosis_page", "draw_diagnosis", "verdicts"]


@dataclass(frozen=True)
class Diagnosis:
    """What was found about one model.

    Args:
        task: name.
        conditioning: of the denoiser.
        effects: of every agent under both orders.
        order_difference: of samples under the two orders, in deviations of the state.
        prediction: errors over imagined steps.
        rewards: of real states, and what one agent's action changes in them.
        play: of a policy in the model and in the environment; None if none was given.
    """

    task: str
    conditioning: str
    effects: list[AgentEffects]
    order_difference: float
    prediction: Prediction
    rewards: RewardEffects
    play: Play | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def verdicts(found: Diagnosis) -> list[tuple[bool, str]]:
    """Sentences on what works and what does not, with the figures."""
    slopes = [entry.slope for entry in found.effects]
    first, last = found.prediction, len(found.prediction.state)
    sentences = [
        (
            first.state[0] < first.persistence[0],
            f"One step ahead, states are off by {first.state[0]:.3f} deviations (persistence "
            f"{first.persistence[0]:.3f}).",
        ),
        (
            first.state[-1] < first.persistence[-1],
            f"{last} steps ahead, states are off by {first.state[-1]:.3f} deviations (persistence "
            f"{first.persistence[-1]:.3f}).",
        ),
        (
            first.reward[0] < 1,
            f"Rewards are off by {first.reward[0]:.3f} deviations in the first step and "
            f"{first.reward[-1]:.3f} in the last (always the mean: 1).",
        ),
        (
            min(slopes) > 0.8 and max(slopes) < 1.2,
            f"Predicted effects of one agent's action are {min(slopes):.2f} to {max(slopes):.2f} "
            "of the true ones.",
        ),
        (
            found.rewards.level.error < 1,
            f"Rewards of real states are off by {found.rewards.level.error:.2f} of their "
            f"deviation, {found.rewards.bias:+.3f} on the mean.",
        ),
        (
            found.rewards.action.slope > 0.5 and found.rewards.action.correlation > 0.5,
            "What one agent's action changes in the reward: predicted effects are "
            f"{found.rewards.action.slope:.2f} of the true ones, correlation "
            f"{found.rewards.action.correlation:.2f}.",
        ),
    ]
    if found.play is not None:
        sentences += _of_play(found.play)
    if found.conditioning == "sequential":
        sentences.append(
            (
                found.order_difference < first.state[0],
                "Reversing the order of the agents moves a sample by "
                f"{found.order_difference:.3f} deviations.",
            )
        )
    return sentences


def _of_play(play: Play) -> list[tuple[bool, str]]:
    gap = np.abs(np.subtract(play.imagined, play.true))
    steps = len(play.true)
    return [
        (
            bool(gap.max() < 0.1 * abs(np.mean(play.true))),
            f"The policy earns {play.imagined[0]:.3g} in the first imagined step and "
            f"{play.imagined[-1]:.3g} in step {steps}; in the environment {play.true[0]:.3g} and "
            f"{play.true[-1]:.3g}.",
        ),
        (
            play.same_choice[0] > play.same_as_before[0],
            f"On imagined observations it chooses as on the true ones for "
            f"{100 * play.same_choice[0]:.0f} % of the agents (on those before them: "
            f"{100 * play.same_as_before[0]:.0f} %).",
        ),
    ]


def draw_diagnosis(found: Diagnosis, figure: Any) -> None:
    """Three panels into a matplotlib figure."""
    axes = figure.subplots(1, 3)
    agents = sorted({entry.agent for entry in found.effects})
    for number, order in enumerate(ORDERS):
        slopes = [e.slope for e in found.effects if e.order == order]
        places = np.array(agents) + 0.4 * number - 0.2
        axes[0].bar(places, slopes, 0.38, label=f"agents {order}")
    axes[0].axhline(1, color="0.4", linewidth=0.8)
    axes[0].set(title="Predicted / true effect of one action", xlabel="agent", ylim=(0, None))
    axes[0].legend(fontsize=8)

    ahead = np.arange(1, len(found.prediction.state) + 1)
    axes[1].plot(ahead, found.prediction.state, "-", label="world model")
    axes[1].plot(ahead, found.prediction.persistence, ":", label="persistence")
    axes[1].set(title="Error of states", xlabel="steps ahead", ylabel="deviations", ylim=(0, None))
    axes[1].legend(fontsize=8)

    axes[2].plot(ahead, found.prediction.reward, "-", label="reward, root mean square")
    axes[2].plot(ahead, found.prediction.observation, "-", label="observations, mean absolute")
    axes[2].axhline(1, color="0.4", linewidth=0.8, linestyle=":")
    axes[2].set(title="Other errors", xlabel="steps ahead", ylabel="deviations", ylim=(0, None))
    axes[2].legend(fontsize=8)
    figure.tight_layout()


def diagnosis_page(found: Diagnosis, about: Sequence[str]) -> str:
    """The page as HTML.

    Args:
        found: about one model.
        about: lines on command and machine.
    """
    effects = tuple(
        (
            str(entry.agent),
            entry.order,
            f"{entry.slope:.2f}",
            f"{entry.correlation:.2f}",
            f"{entry.error:.2f}",
        )
        for entry in found.effects
    )
    return as_html(
        "Diagnostics",
        [
            Heading(f"World model of {found.task}", 1),
            Lines(tuple(about)),
            Verdicts(tuple(verdicts(found))),
            drawn(lambda figure: draw_diagnosis(found, figure), (13, 3.8), "Diagnostics"),
            Table("effects", ("agent", "order", "slope", "correlation", "error"), effects),
        ],
    )
