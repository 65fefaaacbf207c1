"""An episode as an animated picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from networld_agent.evaluation.episodes import play
from networld_agent.evaluation.players import Player
from networld_agent.worlds.interface import Worlds
from wirelessenvs.command import whole_file
from wirelessenvs.tasks import TASKS, get_task

__all__ = ["animate"]


def animate(
    worlds: Worlds, player: Player, seed: int, steps: int, path: Path, warm_up: int = 5
) -> int:
    """Plays one episode and writes its steps as a GIF; returns the number of frames.

    Args:
        worlds: a single environment of one of this project's tasks.
        player: who plays.
        seed: of the episode.
        steps: counted, as in `play`.
        path: of the file.
        warm_up: random joint actions before them, which are drawn, too.

    Raises:
        ValueError: for an environment of a factory: nobody knows how to draw it.
    """
    from PIL import Image

    from wirelessenvs.rendering import Renderer

    simulator = worlds.simulator
    if simulator is None:
        raise ValueError(f"--render draws this project's tasks: {', '.join(TASKS)}.")
    renderer = Renderer(get_task(worlds.task).draw)
    frames: list[Any] = []

    def watch() -> None:
        pixels = renderer.frame(simulator)
        assert pixels is not None
        frames.append(Image.fromarray(pixels).quantize(128))

    play(worlds, player, [seed], steps, warm_up, watch=watch)
    renderer.close()
    with whole_file(path) as partial:
        frames[0].save(
            partial, format="GIF", save_all=True, append_images=frames[1:], duration=200, loop=0
        )
    return len(frames)
