"""Whole files, and JSON that ends in its own checksum; needs no PyTorch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from networld_agent.errors import ModelError
from wirelessenvs.command import replacing
from wirelessenvs.files import read_regular
from wirelessenvs.json_values import canonical_json, finite_or_null

__all__ = ["checksum", "read_document", "write_document", "write_json", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_json(path: Path, document: Any) -> None:
    """Writes JSON values, whole or not at all; null stands for numbers that are not finite."""
    text = json.dumps(finite_or_null(document), indent=1, allow_nan=False)
    write_whole(path, (text + "\n").encode())


def checksum(document: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever its spaces and order of keys."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Writes a JSON object that ends in its own checksum, whole or not at all.

    Raises:
        ValueError: for a number that is not finite.
    """
    # As a reader returns it: lists, not tuples, so that the checksum is the reader's.
    document = json.loads(json.dumps(document, allow_nan=False))
    write_json(path, {**document, "sha256": checksum(document)})


def read_document(path: Path, what: str) -> dict[str, Any]:
    """The checked JSON object of a file that ends in its own checksum.

    Raises:
        ModelError: naming the file and its fault.
    """
    try:
        document = json.loads(read_regular(path))
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing: {path.parent} is no {what}.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError, MemoryError):
        raise ModelError(f"{path}: is not valid JSON: the file is damaged.") from None
    if not isinstance(document, dict) or "sha256" not in document:
        raise ModelError(f"{path}: is no description of a {what}.")
    stated = document.pop("sha256")
    try:
        fits = stated == checksum(document)
    except (ValueError, RecursionError):
        fits = False
    if not fits:
        raise ModelError(f"{path}: does not fit its checksum: the file was changed.")
    return document
