"""Whole files, checksums, checked JSON and weights; nothing in them is ever executed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from networld_agent.errors import ModelError

__all__ = ["checksum", "read_document", "read_tensors", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def checksum(document: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever its spaces and order of keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_document(path: Path, what: str) -> dict[str, Any]:
    """The checked JSON object of a file that ends in its own checksum.

    Raises:
        ModelError: naming the file and its fault.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing: {path.parent} is no {what}.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
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


def read_tensors(path: Path, size: int, digest: str) -> dict[str, torch.Tensor]:
    """Tensors of a file whose size and checksum are known.

    Raises:
        ModelError: naming the file and its fault.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: the file is missing.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    if len(data) != size:
        raise ModelError(f"{path}: has {len(data)} bytes instead of {size}: the file is cut.")
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(f"{path}: does not fit its checksum: the file was changed.")
    try:
        return dict(safetensors.torch.load(data))
    except Exception as error:
        raise ModelError(f"{path}: holds no tensors that can be read: {error}.") from None
