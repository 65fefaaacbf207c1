"""All methods with a trained policy, one row each; their classes are imported when asked for.

A new method is a file and a row here. One of another package needs neither: its class is named as
`module:Class` on a command line, or by an entry point of that package in the group
`wirelessenvs.methods`, whose name is the method's. What a file says is never imported.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from benchmarks.baselines.shared.interface import Baseline, BaselineConfig, BaselinePolicy
from benchmarks.baselines.shared.policy import read_method
from networld_agent.errors import ModelError
from wirelessenvs.checks import check_choice
from wirelessenvs.loading import load

__all__ = ["BASELINES", "CENTRAL", "GROUP", "ROWS", "Method", "class_path", "load_policy",
           "make_baseline", "method_class"]  # fmt: skip

#: Of entry points.
GROUP: Final = "wirelessenvs.methods"
#: What may stand in the name of a folder.
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Method:
    """What commands, jobs and reports know of a method.

    Args:
        name: in commands, files and folders.
        title: in tables and figures.
        role: in the experiment: "networld", "baseline" (of the claim), "central" (trained on all
            agents at once), "ablation", "mean-field", "weighted", "reference" (a policy of the
            task), "own" (from another package), or "online" (not in the experiment).
        path: `module:Class` of its `Baseline`, or of its policy if a command of its own trains it;
            None for NetWorld and for policies of the tasks.
        colour: in figures; None for one of those that are left.
        marker: in figures; None for one of those that are left.
        of: the method that it is a variant of.
        options: "option=value" of the training that differ.
        from_scratch: whether NetWorld goes without pre-training.
        model: "option=value" of NetWorld's network that differ; it is pre-trained anew for them.
        plan: options of NetWorld's planner that differ.
    """

    name: str
    title: str
    role: str
    path: str | None = None
    colour: str | None = None
    marker: str | None = None
    of: str | None = None
    options: tuple[str, ...] = ()
    from_scratch: bool = False
    model: tuple[str, ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def trained_as(self) -> str:
        """The method whose code trains it: itself, or what it is a variant of."""
        return self.of or self.name


_PACKAGE: Final = "benchmarks.baselines"
#: Rows by name. Colours are Okabe and Ito's, with a dark red of Paul Tol's: told apart without
#: red-green vision.
ROWS: Final = {
    row.name: row
    for row in (
        Method("bc", "MA-BC", "baseline", f"{_PACKAGE}.bc:BehaviourCloning", "#7F7F7F", "P"),
        Method(
            "cql", "MA-CQL", "baseline", f"{_PACKAGE}.cql.method:ConservativeQLearning",
            "#E69F00", "^",
        ),
        Method("iql", "MA-IQL", "baseline", f"{_PACKAGE}.iql:ImplicitQLearning", "#009E73", "v"),
        Method(
            "dt", "MA-DT", "baseline", f"{_PACKAGE}.dt.method:DecisionTransformer", "#D55E00", "D"
        ),
        Method("dd", "MA-DD", "baseline", f"{_PACKAGE}.dd.method:DecisionDiffuser", "#CC79A7", "X"),
        Method("dima", "DIMA", "central", f"{_PACKAGE}.dima.offline:Dima", "#882255", "*"),
        Method("mappo", "MAPPO", "online", f"{_PACKAGE}.mappo.policy:MappoPolicy"),
        Method("happo", "HAPPO", "online", f"{_PACKAGE}.mappo.happo:HappoPolicy"),
        Method("dima-online", "DIMA, online", "online", f"{_PACKAGE}.dima.online:OnlineDimaPolicy"),
    )
}  # fmt: skip
#: Of the claim: decentralised in training and play.
BASELINES: Final = tuple(name for name, row in ROWS.items() if row.role == "baseline")
#: Trained on all agents at once and played on own observations.
CENTRAL: Final = tuple(name for name, row in ROWS.items() if row.role == "central")


def class_path(method: str, what: str = "method") -> str:
    """`module:Class` of an offline method; one that is given as such stays.

    Args:
        method: name of a row or of an entry point, or `module:Class`.
        what: stands before the method in errors.

    Raises:
        ValueError: for an unknown name; the sentence lists those that exist.
    """
    if ":" in method:
        return method
    paths = {name: str(ROWS[name].path) for name in (*BASELINES, *CENTRAL)} | _installed()
    return paths[check_choice(what, method, paths)]


def method_class(method: str, what: str = "method") -> type[Baseline]:
    """The class of an offline method.

    Args:
        method: name of a row or of an entry point, or `module:Class`.
        what: stands before the method in errors.

    Raises:
        ValueError: for an unknown name, a class that cannot be imported, or one that misses a
            member of `Baseline`.
    """
    path = class_path(method, what)
    if method in ROWS:
        return _imported(path)
    found = _checked(load(path, what), f"{what} {path!r}")
    if method not in (path, found.name):
        raise ValueError(f"{what} {path!r} is named {found.name!r}, its entry point {method!r}.")
    return found


def make_baseline(method: str, what: str = "method") -> Baseline:
    """An offline method, see `method_class`."""
    return method_class(method, what)()


def load_policy(folder: str | Path, own: Sequence[str] = ()) -> BaselinePolicy:
    """The policy in a folder, or in the folder of a run; of whichever method.

    Args:
        folder: that `save` wrote, or that a training run wrote.
        own: methods of other packages that it may be of, as `module:Class`.

    Raises:
        ModelError: naming the file and its fault, or the method if it is not known.
        ValueError: if a class of `own` cannot be imported or misses a member.
    """
    folder = Path(folder)
    inner = folder / "policy"
    folder = inner if (inner / "policy.json").exists() else folder
    return _policy_class(folder, read_method(folder), own).load(folder)


def _policy_class(folder: Path, method: str, own: Sequence[str]) -> type[BaselinePolicy]:
    for path in own:
        given = method_class(path, "--method")
        if given.name == method:
            return given.policy_type
    if method in ROWS:
        found: Any = _imported(str(ROWS[method].path))
        return found.policy_type if issubclass(found, Baseline) else found
    if method in _installed():
        return method_class(method).policy_type
    known = ", ".join((*ROWS, *_installed()))
    raise ModelError(
        f"{folder}: holds a policy of an unknown method {method!r}; there are {known}, and those "
        "whose class is given by --method MODULE:CLASS."
    )


def _installed() -> dict[str, str]:
    """Class paths by name, of packages that are installed; names of this project stay its own."""
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    return {name: path for name, path in found.items() if name not in ROWS}


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _checked(found: Any, what: str) -> type[Baseline]:
    """A class of another package, if it is a method.

    Raises:
        ValueError: naming the member that is missing or wrong.
    """
    for kind in (Baseline, BaselineConfig, BaselinePolicy):
        member = {BaselineConfig: "config_type", BaselinePolicy: "policy_type"}.get(kind)
        part = found if member is None else getattr(found, member)
        place = what if member is None else f"{member} of {what}"
        wanted = f"benchmarks.baselines.{kind.__name__}"
        if not (isinstance(part, type) and issubclass(part, kind)):
            raise ValueError(f"{place} must be a subclass of {wanted}, got {part!r}.")
        if missing := tuple(_missing(part, kind)):
            raise ValueError(f"{place} misses {', '.join(missing)} of {wanted}.")
    method: type[Baseline] = found
    if not _NAME.fullmatch(method.name):
        raise ValueError(
            f"name of {what} must be words of a-z and 0-9 joined by '-', got {method.name!r}."
        )
    if method.name in ROWS:
        raise ValueError(f"{what} needs another name: {method.name!r} is a method of this project.")
    policy = method.policy_type
    if policy.name != method.name or policy.config_type is not method.config_type:
        raise ValueError(f"policy_type of {what} must have the same name and config_type.")
    return method


def _missing(part: type, kind: type) -> Iterator[str]:
    """Members that a subclass must have and has not."""
    yield from sorted(getattr(part, "__abstractmethods__", ()))
    yield from (name for name in kind.__annotations__ if not hasattr(part, name))
