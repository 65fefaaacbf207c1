"""The code that a module depends on: its file, and those of all that it imports, wherever in them.

Comments, docstrings and formatting do not count in the digests, and neither does what is imported
for type checkers alone.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "ROOT", "digest", "forget", "home_of", "module_files"]

#: Of the checkout; of an installed wheel, what holds this package alone.
ROOT: Final = Path(__file__).resolve().parents[1]
#: Of this project; imports of others are not followed.
PACKAGES: Final = ("benchmarks", "networld_agent", "wirelessenvs")
#: Data that modules load from their own folder, or from one in it that is no package.
_DATA: Final = (".npz",)


def module_files(
    modules: Iterable[str],
    root: Path = ROOT,
    left_out: Collection[str] = (),
    places: Mapping[str, Path] | None = None,
) -> dict[str, Path]:
    """Files of modules, of what they import, and of the data beside them.

    Args:
        modules: names; "module:function" follows only what that function needs of its module.
        root: of the checkout.
        left_out: files that do not count and are not followed, as in the result.
        places: folders of further packages to follow, by the package's name.

    Returns:
        Paths by their name in the package's folder, "networld_agent/errors.py", sorted.
    """
    homes = {name: root if (root / name).is_dir() else home_of(name) for name in PACKAGES}
    folders = {**homes, **(places or {})}
    waiting, found = list(modules), dict[str, Path]()
    while waiting:
        module, _, part = waiting.pop().partition(":")
        folder = folders.get(module.partition(".")[0])
        path = None if folder is None else _file(module, folder)
        if folder is None or path is None:
            continue
        name = path.relative_to(folder).as_posix()
        if name in found or name in left_out:
            continue
        found |= {name: path} | {
            data.relative_to(folder).as_posix(): data for data in _data_beside(path.parent)
        }
        waiting += _imported(_content(path), _package_of(module, path), part)
    return dict(sorted(found.items()))


def home_of(package: str) -> Path | None:
    """The folder in which Python finds a package, or a module; it is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    inside = list(spec.submodule_search_locations or ())
    return Path(inside[0] if inside else str(spec.origin)).resolve().parent


def digest(files: Mapping[str, Path]) -> str:
    """SHA-256 of files and their names."""
    lines = [f"{name} {_file_digest(path)}" for name, path in files.items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def forget() -> None:
    """Reads the files anew when asked again."""
    for cached in (_file, _data_beside, _content):
        cached.cache_clear()


@cache
def _file(module: str, folder: Path) -> Path | None:
    stem = folder / module.replace(".", "/")
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _data_beside(folder: Path) -> tuple[Path, ...]:
    inner = (path for path in folder.iterdir() if path.is_dir())
    places = (folder, *(path for path in inner if not (path / "__init__.py").exists()))
    return tuple(path for place in places for path in place.iterdir() if path.suffix in _DATA)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


def _package_of(module: str, path: Path) -> str:
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


def _file_digest(path: Path) -> str:
    if path.suffix == ".py":
        return _without_words(_content(path))
    return hashlib.sha256(_content(path)).hexdigest()


@cache
def _without_words(source: bytes) -> str:
    """Digest of a module's code, the same for the same code in any checkout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            _drop_docstring(node)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def _imported(source: bytes, package: str, part: str) -> tuple[str, ...]:
    """Names of what a module of a package imports, or of what a part of it needs."""
    tree = ast.parse(source)
    statements = _needed(tree, part) if part else tree.body
    return tuple(_imports(statements, package.split(".")))


def _imports(statements: Iterable[ast.AST], package: list[str]) -> Iterator[str]:
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # What is imported may be a module itself.
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _imports(ast.iter_child_nodes(node), package)


def _needed(tree: ast.Module, name: str) -> list[ast.stmt]:
    """A module's statements that define a name, all names in these, and so on."""
    makers: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for made in _defined(statement):
            makers.setdefault(made, []).append(statement)
    waiting, kept = [name], list[ast.stmt]()
    while waiting:
        for statement in makers.pop(waiting.pop(), ()):
            kept.append(statement)
            waiting += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return kept


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    else:
        stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        yield from (node.id for node in stored if isinstance(node.ctx, ast.Store))


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:]
