"""How often the training of a job has looked at held-out data."""

from __future__ import annotations

from pathlib import Path

from networld_agent.training.checkpoints import load_checkpoint

__all__ = ["looked_at"]


def looked_at(run: Path, every: int) -> dict[str, int] | None:
    """What held-out data has chosen in a finished run; None if none was held out.

    Args:
        run: its folder, of NetWorld's training or of a baseline's.
        every: updates between two looks.

    Returns:
        "looks" at it, "steps" of the training, and the "best_step" whose weights are kept.
    """
    found = load_checkpoint(run)
    if found is None or not found[1].get("best_step"):
        return None
    step, best = int(found[1]["step"]), int(found[1]["best_step"])
    return {"looks": step // every, "steps": step, "best_step": best}
