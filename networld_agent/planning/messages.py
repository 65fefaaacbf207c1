"""What it costs that agents hear from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FLOAT_BYTES", "MessageCount"]

FLOAT_BYTES: Final = 4


@dataclass
class MessageCount:
    """Communication so far.

    An agent sends its latent once per plan, by broadcast, if anyone hears it. Over links to single
    receivers it would send one copy to each.

    Args:
        agent_steps: actions taken, over all agents and environments.
        broadcasts: latents sent.
        receptions: latents received.
        message_bytes: size of one latent.
    """

    message_bytes: int
    agent_steps: int = 0
    broadcasts: int = 0
    receptions: int = 0

    def count_round(self, broadcasts: int, receptions: int) -> None:
        """One round of messages: latents sent and received in all environments that plan."""
        self.broadcasts += broadcasts
        self.receptions += receptions

    @property
    def bytes_per_step(self) -> float:
        """Bytes that an agent sends per step, by broadcast, on average."""
        return self.message_bytes * self.broadcasts / max(self.agent_steps, 1)

    @property
    def unicast_bytes_per_step(self) -> float:
        """The same over links to single receivers."""
        return self.message_bytes * self.receptions / max(self.agent_steps, 1)
