"""Damages of a file: bits, lengths, special files, and edits of JSON with fitting checksums."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

from wirelessenvs.json_values import canonical_json

_DEEP = "@deep@"
_VALUES: list[Any] = [
    None, True, "", "text", "../../etc/passwd", -1, 0, 1, 2.5, 2**31, 2**63, 2**70, 10**400, -1e308,
    1e308, float("nan"), float("inf"), [], {}, [[[]]], {"a": None}, [0] * 1000, _DEEP,
]  # fmt: skip
#: Keys of the checksum of the object that they stand in.
_SEALS = ("sha256", "metadata_sha256")


def damage(folder: Path, name: str, rng: random.Random) -> tuple[str, bool]:
    """Damages a file of a folder.

    Returns:
        What was done, in words; and whether a checksum was made to fit.
    """
    path = folder / name
    kinds = [_flip, _flip, _cut, _append, _blank, _swap, _delete, _fifo, _endless, _directory]
    if path.suffix in (".json", ".jsonl"):
        kinds += [_edit] * 10 + [_space]
    kind = rng.choice(kinds)
    words, forged = kind(path, folder, rng)
    return f"{name}: {words}", forged


def _flip(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    data = bytearray(path.read_bytes())
    if not data:
        return _append(path, folder, rng)
    # The beginning holds headers: as often as all the rest.
    place = rng.randrange(min(len(data), 512) if rng.random() < 0.5 else len(data))
    bit = rng.randrange(8)
    data[place] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {place} of {len(data)} flipped", False


def _cut(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    size = path.stat().st_size
    left = rng.choice((0, 1, size // 2, max(0, size - 1), rng.randrange(size + 1)))
    os.truncate(path, left)
    return f"cut to {left} of {size} bytes", False


def _append(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    more = rng.choice((b"\0", b"}", b"\xff\xfe", rng.randbytes(rng.randrange(1, 5000))))
    with path.open("ab") as file:
        file.write(more)
    return f"{len(more)} bytes appended", False


def _blank(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    data = bytearray(path.read_bytes())
    first = rng.randrange(len(data) + 1)
    last = min(len(data), first + rng.choice((1, 16, 512, 4096)))
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return f"bytes {first} to {last} zeroed", False


def _swap(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    others = [p for p in sorted(folder.rglob("*")) if p.is_file() and p != path]
    if not others:
        return _cut(path, folder, rng)
    other = rng.choice(others)
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)
    return f"swapped with {other.relative_to(folder)}", False


def _delete(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    return "deleted", False


def _fifo(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    os.mkfifo(path)
    return "a FIFO in its place", False


def _endless(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    path.symlink_to("/dev/zero")
    return "a link to /dev/zero in its place", False


def _directory(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    path.mkdir()
    if rng.random() < 0.5:
        (path / "inner").write_text("x")
    return "a folder in its place", False


def _space(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    path.write_bytes(b" \n" + path.read_bytes())
    return "a blank line before it", False


# ------------------------------------------------------------------------ edits of JSON
def _edit(path: Path, folder: Path, rng: random.Random) -> tuple[str, bool]:
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    number = rng.randrange(len(lines)) if lines else 0
    try:
        document = json.loads(lines[number])
    except (ValueError, IndexError):
        return _flip(path, folder, rng)
    if not isinstance(document, (dict, list)) or not document:
        return _cut(path, folder, rng)
    holder, key, place = _chosen(document, rng)
    seal = next((k for k in _SEALS if isinstance(document, dict) and k in document), None)
    forge = seal is not None and place != (seal,) and rng.random() < 0.6
    value = rng.choice(_VALUES)
    if rng.random() < 0.2:
        del holder[key]
        what = "removed"
    else:
        value = 200 * [0] if forge and value is _DEEP else value
        holder[key] = value
        what = f"set to {str(value)[:40]!r}"
    if forge:
        forge = _seal(document, str(seal))
    lines[number] = _text(document, path.suffix == ".jsonl")
    path.write_text("\n".join(lines) + "\n")
    sealed = " and sealed" if forge else ""
    return f"key {'.'.join(map(str, place))} {what}{sealed}", forge


def _chosen(document: Any, rng: random.Random) -> tuple[Any, Any, tuple[Any, ...]]:
    """A random entry: its holder, key and place."""
    holder, place = document, []
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = rng.choice(keys)
        place.append(key)
        inner = holder[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.25:
            return holder, key, tuple(place)
        holder = inner


def _seal(document: dict[str, Any], key: str) -> bool:
    document.pop(key, None)
    try:
        document[key] = hashlib.sha256(canonical_json(document).encode()).hexdigest()
    except ValueError:  # no checksum fits NaN
        document[key] = "0" * 64
        return False
    return True


def _text(document: Any, one_line: bool) -> str:
    text = json.dumps(document, indent=None if one_line else 1)
    return text.replace(f'"{_DEEP}"', "[" * 100_000 + "]" * 100_000)


def copy_of(folder: Path, place: Path) -> Path:
    """A copy of a folder without anything that an earlier case left there."""
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(folder, place))
