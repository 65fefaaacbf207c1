"""Frames of a running simulator: an image array, or a window on the screen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.command import whole_file

__all__ = ["Renderer", "write_gif"]


class Renderer:
    """Draws a simulator with a task's own `draw(figure, simulator, env)`.

    Args:
        draw: the task's drawing function.
        window: show frames in a window instead of returning them.
        size_inches: width and height of the figure.
        dpi: pixels per inch.

    Raises:
        ImportError: saying what to install where matplotlib is missing.
    """

    def __init__(
        self,
        draw: Callable[..., None],
        window: bool = False,
        size_inches: tuple[float, float] = (9.0, 6.0),
        dpi: int = 100,
    ) -> None:
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError(
                "rendering needs matplotlib: pip install 'wirelessenvs[render]'."
            ) from None
        self._draw = draw
        self._window = window
        if window:
            import matplotlib.pyplot as plt

            self._figure: Any = plt.figure(figsize=size_inches, dpi=dpi)
            interactive = plt.get_backend().lower() not in ("agg", "pdf", "svg", "ps", "cairo")
            if not interactive:
                warnings.warn(
                    "no window can be shown here (matplotlib has no interactive backend): "
                    'use render_mode="rgb_array", or install PySide6 and run on a screen.',
                    stacklevel=4,
                )
            self._interactive = interactive
        else:
            self._figure = Figure(figsize=size_inches, dpi=dpi)
            self._canvas = FigureCanvasAgg(self._figure)

    def frame(self, simulator: Any, env: int = 0) -> NDArray[np.uint8] | None:
        """Draws environment `env`; `(height, width, 3)` uint8, or None in a window."""
        self._draw(self._figure, simulator, env)
        if self._window:
            if self._interactive:
                import matplotlib.pyplot as plt

                plt.figure(self._figure.number)
                plt.pause(0.001)
            return None
        self._canvas.draw()
        pixels: NDArray[np.uint8] = np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
        return pixels

    def close(self) -> None:
        """Releases the figure and closes its window."""
        if self._window:
            import matplotlib.pyplot as plt

            plt.close(self._figure)
        self._figure.clear()


def write_gif(path: Path, frames: Sequence[NDArray[np.uint8]], fps: float) -> None:
    """Writes frames of a `Renderer` as an animation, whole or not at all, and says so."""
    from PIL import Image

    images = [Image.fromarray(pixels).quantize(128) for pixels in frames]
    with whole_file(path) as partial:
        images[0].save(
            partial,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=round(1000 / fps),
            loop=0,
        )
    print(f"wrote {path} ({len(images)} frames)")
