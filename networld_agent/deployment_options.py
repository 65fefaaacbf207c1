"""How commands name deployments: `--family rb --split test --deployments 16:32`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from wirelessenvs.checks import check_choice
from wirelessenvs.families import FAMILIES, deployments, get_family

__all__ = ["OTHER_PAGE", "add_deployment_options", "asks_for_family", "chosen_deployments"]

#: For the help of a command that plays single environments by other options.
OTHER_PAGE: Final = (
    "Over the deployments of a family: --family rb --help says which options there are."
)
#: Deployments of one command: each is drawn and its hash written down before anything else.
_MOST: Final = 100_000


def asks_for_family(arguments: Sequence[str]) -> bool:
    """Whether a command is to work over deployments, which has options of its own."""
    return any(word == "--family" or word.startswith("--family=") for word in arguments)


def add_deployment_options(parser: argparse.ArgumentParser, count: int) -> None:
    """`--family`, `--split`, `--deployments`.

    Args:
        parser: of the command.
        count: deployments by default.
    """
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--family", help=f"one of {', '.join(FAMILIES)}")
    either.add_argument("--env", help=argparse.SUPPRESS)  # to say that it is one or the other
    parser.add_argument("--split", required=True, help="train, validation, test or beyond-...")
    parser.add_argument(
        "--deployments", default=str(count), metavar="COUNT|FROM:TO",
        help=f"the first ones, or those FROM up to TO - 1 (default: {count})",
    )  # fmt: skip


def chosen_deployments(options: argparse.Namespace) -> range:
    """The indices that `--deployments` names, of a family and a split that exist.

    Raises:
        ValueError: for an unknown family or split, or what is no range of their deployments.
    """
    family = get_family(options.family)
    check_choice("--split", options.split, family.splits)
    first, colon, last = options.deployments.rpartition(":")
    first = first if colon else "0"
    size = len(deployments(family.name, options.split))
    short = all(text.isdecimal() and len(text) < 12 for text in (first, last))
    if not (short and int(first) < int(last) <= size and int(last) - int(first) <= _MOST):
        raise ValueError(
            f"--deployments takes a number, or FROM:TO with FROM below TO, up to {size} and at "
            f"most {_MOST} of them; got {options.deployments[:40]!r}."
        )
    return range(int(first), int(last))
