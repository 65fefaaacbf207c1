"""Code of somebody else's, named on a command line as `module:name`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from wirelessenvs.checks import reason
from wirelessenvs.policy import Information, Policy

__all__ = ["load", "load_policy"]


def load(reference: str, what: str) -> Callable[..., Any]:
    """The object that `module:name` names.

    Importing a module runs its code: a reference must come from whoever gives the command, never
    from a file.

    Args:
        reference: `module:name`, where the name may have dots.
        what: stands before the reference in errors, say "--env".

    Raises:
        ValueError: if there is none that can be called.
    """
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        # Whatever the module's own code raises; its traceback stays the cause.
        raise ValueError(f"{what} {reference!r} cannot be loaded: {reason(error)}.") from error
    if not callable(found):
        raise ValueError(f"{what} {reference!r} cannot be called.")
    return found


def load_policy(reference: str, what: str = "policy") -> type[Policy]:
    """The policy class that `module:Class` names.

    Args:
        reference: `module:Class`.
        what: stands before the reference in errors.

    Raises:
        ValueError: if there is none, or it does not declare what it may know.
    """
    found = load(reference, what)
    if not (isinstance(found, type) and issubclass(found, Policy)):
        raise ValueError(f"{what} {reference!r} must be a subclass of wirelessenvs.Policy.")
    known = tuple(Information)
    declared = getattr(found, "information", None)
    if declared not in known:
        given = "nothing" if declared is None else repr(declared)
        raise ValueError(
            f"{what} {reference!r} must declare `information` as one of "
            f"{', '.join(known)}, got {given}."
        )
    return found
