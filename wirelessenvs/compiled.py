"""Numba's decorators with a cache that may be absent, full, read-only or damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numba
from numba.core.caching import FunctionCache

__all__ = ["njit", "vectorize"]


class _ForgivingCache(FunctionCache):
    """Compiled code on disk, as far as it can be read and written; what cannot be is compiled."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # A file that was cut short or changed. Pickle raises whatever its bytes lead to.
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # A full disk: the code is in memory, which is all that this process needs.
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(cache=True, **options)` that works without a place to keep what it compiles.

    Numba keeps compiled code beside the source, in the user's cache folder, or in
    `NUMBA_CACHE_DIR`. Where none of them can be written, as in a read-only image without a home,
    every process compiles for itself.
    """

    def compile_later(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        with contextlib.suppress(RuntimeError):  # no place can be written
            dispatcher._cache = _ForgivingCache(function)
        return dispatcher

    return compile_later


def vectorize(signatures: Sequence[str]) -> Callable[[Callable[..., Any]], Any]:
    """`numba.vectorize` that compiles now: from the cache, or without one if that fails."""

    def compile_now(function: Callable[..., Any]) -> Any:
        try:
            return numba.vectorize(signatures, cache=True)(function)
        except Exception:
            # No place, a full disk, or a damaged file; a fault of the code is raised again.
            return numba.vectorize(signatures)(function)

    return compile_now
