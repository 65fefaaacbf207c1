"""Rewards of one's own: a function of a step's metrics, agent by agent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import check_choice, real_array, reason, shown

#: Greatest magnitude: far below float32's, in which batches of TorchRL and data sets hold rewards.
_MOST = 1e30

__all__ = ["OwnReward", "check_reward", "named_reward"]


def check_reward(value: Any, built_in: Sequence[str]) -> Any:
    """A reward as configurations hold it: a word, `module:function`, or a function without a name.

    Args:
        value: one of `built_in`, `module:function`, or a function.
        built_in: words of the task.

    Raises:
        ValueError: for another word or value.
    """
    if callable(value):
        return named_reward(value) or value
    if isinstance(value, str) and ":" in value:
        return value
    try:
        return check_choice("reward", value, built_in)
    except ValueError as error:
        raise ValueError(
            f"{str(error).rstrip('.')} (or module:function, or a function of a step's metrics)."
        ) from None


def named_reward(function: Callable[..., Any]) -> str | None:
    """The `module:function` under which a function can be found again, if there is one."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is function else None


class OwnReward:
    """Calls a function environment by environment, so that no batch can mix them up.

    Args:
        value: a function or `module:function`. It gets the metrics of one environment, a dictionary
            of `(N,)` arrays by name with the built-in reward as "reward", and returns `(N,)` finite
            numbers, one per agent, of magnitudes up to 1e30.
        names: of the metrics.
        agents: their names.

    Raises:
        ValueError: if it cannot be loaded, or returns another shape for metrics of zero.
    """

    def __init__(self, value: Any, names: Sequence[str], agents: Sequence[str]) -> None:
        self._value, self._agents = value, tuple(agents)
        self._function = self._load()
        zeros = {name: np.zeros(len(agents)) for name in ("reward", *names)}
        self._call(zeros)

    def _load(self) -> Callable[..., Any]:
        if callable(self._value):
            function: Callable[..., Any] = self._value
            return function
        from wirelessenvs.loading import load  # policies, which know configurations

        return load(self._value, "reward")

    def __reduce__(self) -> tuple[Any, ...]:
        # A function goes by its name, to another process too.
        return _again, (self._value, self._agents)

    def _call(self, metrics: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        try:
            with np.errstate(all="ignore"):
                given = self._function(metrics)
        except (Exception, SystemExit) as error:
            raise ValueError(
                f"reward {shown(self._value)} raised {type(error).__name__}: {reason(error)}."
            ) from error
        n = len(self._agents)
        try:
            rewards = real_array("reward", given)
        except TypeError:
            raise ValueError(
                f"reward {shown(self._value)} must return {n} numbers, one per agent, got "
                f"{shown(given)}."
            ) from None
        if rewards.shape != (n,):
            raise ValueError(
                f"reward {shown(self._value)} must return {n} numbers, one per agent, got shape "
                f"{rewards.shape}."
            )
        return rewards

    def __call__(
        self,
        rewards: NDArray[np.float64],
        metrics: dict[str, NDArray[np.float64]],
        active: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Rewards `(B, N)` of one step; zero where an environment is not active.

        Args:
            rewards: `(B, N)` built-in ones.
            metrics: each `(B, N)`.
            active: `(B,)`.

        Raises:
            ValueError: for another shape, what is not finite or too large, naming agent and value.
                The step has been made by then: reset before going on.
        """
        own = np.zeros_like(rewards)
        for env in np.flatnonzero(active):
            columns = {"reward": rewards, **metrics}
            row = self._call({name: values[env].copy() for name, values in columns.items()})
            if not np.isfinite(row).all():
                agent = int(np.argmin(np.isfinite(row)))
                raise ValueError(
                    f"reward {shown(self._value)} must return finite numbers, got {row[agent]} for "
                    f"{self._agents[agent]}."
                )
            if np.abs(row).max() > _MOST:
                agent = int(np.argmax(np.abs(row)))
                raise ValueError(
                    f"reward {shown(self._value)} must return numbers between {-_MOST:g} and "
                    f"{_MOST:g}, got {row[agent]:g} for {self._agents[agent]}."
                )
            own[env] = row
        return own


def _again(value: Any, agents: Sequence[str]) -> OwnReward:
    reward = OwnReward.__new__(OwnReward)
    reward._value, reward._agents = value, tuple(agents)
    reward._function = reward._load()
    return reward
