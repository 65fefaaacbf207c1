"""The code that a measurement depends on: its module, and all of this project that it imports."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["module_files", "source_digest"]

#: Of the checkout.
_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGES: Final = ("benchmarks", "networld_agent", "wirelessenvs")


def module_files(module: str, root: Path = _ROOT) -> list[Path]:
    """Files of a module and of what it imports, wherever in the file, sorted."""
    waiting, found = [module], set[Path]()
    while waiting:
        path = _file(waiting.pop(), root)
        if path is None or path in found:
            continue
        found.add(path)
        waiting += _imports(ast.parse(path.read_bytes()))
    return sorted(found)


def source_digest(module: str, root: Path = _ROOT) -> str:
    """SHA-256 of these files and their names."""
    digest = hashlib.sha256()
    for path in module_files(module, root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _file(module: str, root: Path) -> Path | None:
    stem = root / module.replace(".", "/")
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What is imported may be a module itself.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in _PACKAGES)
