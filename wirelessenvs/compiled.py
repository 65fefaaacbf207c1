"""Numba's decorators with a cache that may be absent, full, read-only or damaged."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.np.ufunc.dufunc import DUFunc

__all__ = ["njit", "vectorize"]


_DIGEST_BYTES: Final = hashlib.sha256().digest_size


class _CheckedFiles(IndexDataCacheFile):
    """Files that end in their own checksum: machine code with a wrong bit would still run."""

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        with super()._open_for_write(filepath) as file:
            yield content
            data = content.getvalue()
            file.write(data + hashlib.sha256(data).digest())

    def _load_index(self) -> Any:
        _check(self._index_path)
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        _check(self._data_path(name))
        return super()._load_data(name)


def _check(path: str) -> None:
    if Path(path).exists():
        data = Path(path).read_bytes()
        if hashlib.sha256(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
            raise ValueError(f"{path}: does not fit its checksum: the file was changed.")


class _Notice:
    """A line on the terminal while functions are compiled, which takes up to a minute, once."""

    def __init__(self) -> None:
        self._compiled = 0
        #: That are being compiled, each called by the one before.
        self._functions: list[str] = []

    def begins(self, function: str) -> None:
        """Says which function is compiled, and how many were before."""
        self._functions.append(function)
        self._show()

    def ends(self) -> None:
        """Goes back to the function that called for this one, or clears the line."""
        self._compiled += 1
        if self._functions:
            self._functions.pop()
        self._show()

    def _show(self) -> None:
        if sys.stderr is None or not sys.stderr.isatty():
            return
        line = ""
        if self._functions:
            done = f"{self._compiled} functions done" if self._compiled else "up to a minute"
            line = f"compiling for this machine, once: {done}, now {self._functions[-1]}"
        print(f"\r{line[:79]}\x1b[K", end="", file=sys.stderr, flush=True)


_NOTICE: Final = _Notice()


class _ForgivingCache(FunctionCache):
    """Compiled code on disk, as far as it can be read and written; what cannot be is compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _CheckedFiles(
            self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:
            # A file that was cut short or changed. Pickle raises whatever its bytes lead to.
            found = None
            with contextlib.suppress(OSError):
                self.flush()
        if found is None:
            _NOTICE.begins(self._py_func.__name__)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        _NOTICE.ends()
        # A full disk, or a file that was changed meanwhile: the code is in memory, which is all
        # that this process needs.
        with contextlib.suppress(OSError, ValueError):
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
    """`numba.vectorize(signatures, cache=True)` with the same cache as `njit`."""

    def compile_now(function: Callable[..., Any]) -> Any:
        ufunc: Any = DUFunc(function)
        with contextlib.suppress(RuntimeError):  # no place can be written
            ufunc._dispatcher.cache = _ForgivingCache(function)
        for signature in signatures:
            ufunc.add(signature)
        ufunc.disable_compile()
        return ufunc.build_ufunc()

    return compile_now
