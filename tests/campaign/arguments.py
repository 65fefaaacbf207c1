"""Part "arguments": random constructor arguments, seeds, options and actions at every façade."""

from __future__ import annotations

import dataclasses
import importlib
import random
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import wirelessenvs
from wirelessenvs.checks import shown
from wirelessenvs.tasks import TASKS, get_task

from .outcomes import HangError, Outcome, judged

#: The façades, as functions of task and arguments.
FACADES: dict[str, Callable[..., Any]] = {
    "make": wirelessenvs.make,
    "make_vec": wirelessenvs.make_vec,
    "parallel": lambda task, **a: importlib.import_module(get_task(task).module).parallel_env(**a),
    "batch": lambda task, num_envs=2, **a: gymnasium.make_vec(
        get_task(task).gymnasium_id, num_envs=num_envs, **a
    ),
    "aec": lambda task, **a: importlib.import_module(get_task(task).module).env(**a),
    "joint": lambda task, **a: gymnasium.make(get_task(task).gymnasium_id, **a),
    "simulator": wirelessenvs.make_simulator,
}
_BY_AGENT, _BATCHED = ("make", "parallel", "aec"), ("make_vec", "batch", "simulator")
_SMALL: dict[str, dict[str, Any]] = {
    "rb-v0": {"num_nodes": 4},
    "cbf-v0": {"num_cells": 7},
    "slicing-v0": {"preset": "small", "slots_per_window": 20, "num_users": 60},
}
_OWN = {
    "make": ("preset", "render_mode", "dict_observation", "max_cycles", "config"),
    "parallel": ("preset", "render_mode", "dict_observation", "max_cycles", "config"),
    "aec": ("preset", "render_mode", "dict_observation", "max_cycles", "config"),
    "make_vec": ("num_envs", "preset", "render_mode", "autoreset_mode", "config",
                 "max_episode_steps"),
    "batch": ("num_envs", "preset", "autoreset_mode"),
    "joint": ("preset", "config"),
    "simulator": ("num_envs", "preset"),
}  # fmt: skip


class SilentError(Exception):
    """Something illegal was taken, or something taken does not work as promised."""


def told(value: Any) -> str:
    """A value in words, however long it is."""
    if isinstance(value, dict):
        return repr({k: shown(v) for k, v in value.items()})
    return shown(value)


def junk(rng: random.Random) -> Any:
    """A value that few arguments are made for."""
    return rng.choice(_JUNK)(rng)


_JUNK: list[Callable[[random.Random], Any]] = [
    lambda r: None,
    lambda r: r.choice((True, False, np.True_)),
    lambda r: r.choice(("", "x", "none", "3", "ä" * 1000, "a\nb", "\0")),
    lambda r: -r.randrange(1, 100),
    lambda r: r.randrange(0, 40),
    lambda r: r.choice((10**4, 10**6, 10**9, 2**31, 2**63, 2**64, 10**30, -(2**63) - 1, 10**5000)),
    lambda r: r.choice((0.0, -0.0, 0.5, 1e-300, 1e300, -1e300, 1e-320, 3.0)),
    lambda r: r.choice((float("nan"), float("inf"), float("-inf"))),
    lambda r: r.choice((np.float32(2), np.int8(3), np.uint64(2**63), np.float16("inf"))),
    lambda r: r.choice(([], {}, (), set(), [[]], [[1], [1, 2]], {"a": 1}, range(3))),
    lambda r: [r.choice((1, 0.5, -1, float("nan"))) for _ in range(r.choice((1, 2, 4, 7)))],
    lambda r: np.full(
        [r.randrange(4) for _ in range(r.randrange(4))], r.choice((0.0, 1.0, np.nan))
    ),
    lambda r: np.full((r.choice((4, 7)),) * 2, r.choice((0, 1, 0.5, 1e308))),
    lambda r: r.choice((1j, b"x", object(), lambda: 0, type, np.datetime64("2020"), Path("x"))),
    lambda r: np.array([object(), None], object),
]


def random_arguments(index: int, seed: int, shelf: Path, scratch: Path) -> Outcome:
    """One case: an environment is made, reset and played, here and there with junk."""
    rng = random.Random(f"arguments:{seed}:{index}")
    facade, task = list(FACADES)[index % len(FACADES)], rng.choice(list(TASKS))
    arguments = dict(_SMALL[task])
    fields = [field.name for field in dataclasses.fields(get_task(task).config)]
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        name = rng.choice((*fields, *_OWN[facade])) if rng.random() < 0.97 else "nope"
        arguments[name] = junk(rng)
    given = {k: v for k, v in arguments.items() if _SMALL[task].get(k, k) is not v}
    trial = _Trial(rng, facade, task, arguments)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            trial.run()
        except (Exception, HangError) as error:
            about = f"{facade} {task} {told(given)}: {trial.doing}"
            if isinstance(error, SilentError):
                return Outcome("silent", about, f"{facade} {task}: {error}", trial.doing)
            if facade == "joint" and trial.doing == "construction":
                # Gymnasium adds the arguments to our words, at any length.
                error = error.__context__ or error
            outcome = judged(error, about, trial.names)
            expected = outcome.kind != "clear" or trial.expected
            if expected:
                return outcome
            return Outcome("traceback", about, "legal use refused", str(error)[-300:])
    return Outcome("clear" if trial.refused else "harmless", f"{facade} {task} {told(given)}")


class _Trial:
    """A play of one environment; `doing` says how far it is, `names` what a sentence may name."""

    def __init__(self, rng: random.Random, facade: str, task: str, arguments: dict) -> None:
        self.rng, self.facade, self.task, self.arguments = rng, facade, task, arguments
        self.numbers = np.random.default_rng(rng.randrange(2**32))
        self.doing, self.expected, self.refused = "construction", True, 0
        self.names: set[str] = set(arguments) | {"graph", "config", "max_steps", "memory"}

    def run(self) -> None:
        env = FACADES[self.facade](self.task, **self.arguments)
        self.env, self.simulator = env, self._simulator(env)
        self.expected, self.doing = False, "first reset"
        seed = self.rng.randrange(1000)
        self._check(self._reset(seed))
        self._refusals_of_reset()
        self.doing = "second reset"
        self._check(self._reset(seed))
        played = self._play(junked=True)
        self.doing = "replay"
        self._check(self._reset(seed))
        self.numbers = np.random.default_rng(self.again)
        for first, second in zip(played, self._play(junked=False), strict=True):
            if not _same(first, second):
                raise SilentError("refused actions change what follows")

    def _simulator(self, env: Any) -> Any:
        if self.facade == "simulator":
            return env
        inner = env.unwrapped
        return inner.simulator if hasattr(inner, "simulator") else inner.env.simulator

    def _reset(self, seed: Any, **more: Any) -> Any:
        return self.env.reset(seed, **more) if self.facade == "simulator" else self.env.reset(
            seed=seed, **more
        )  # fmt: skip

    def _refuse(self, act: Callable[[], Any], names: set[str], must: bool = True) -> None:
        """Does what is illegal: a clear sentence, and nothing has changed."""
        before = _state(self.simulator)
        self.names, self.expected = names, True
        try:
            act()
        except (Exception, HangError) as error:
            if judged(error, "", names).kind != "clear":
                raise
            self.refused += 1
            if not _same(before, _state(self.simulator)):
                raise SilentError("a refused call changed the state") from None
        else:
            if must:
                raise SilentError("something illegal was accepted")
        self.expected = False

    def _refusals_of_reset(self) -> None:
        if self.rng.random() < 0.5:
            value = junk(self.rng)
            self.doing = f"reset with seed {told(value)}"
            single = self.facade in (*_BY_AGENT, "joint")
            legal = value is None or (
                isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0
            )
            may = not single and isinstance(value, (list, tuple, range, np.ndarray))
            self._refuse(lambda: self._reset(value), {"seed"}, must=not legal and not may)
        if self.rng.random() < 0.5 and self.facade != "simulator":
            value = junk(self.rng) if self.rng.random() < 0.5 else {
                self.rng.choice(("reset_mask", "x")): junk(self.rng)
            }  # fmt: skip
            self.doing = f"reset with options {told(value)}"
            self._refuse(
                lambda: self._reset(3, options=value), {"options", "mask", "reset_mask"}, must=False
            )

    def _play(self, junked: bool) -> list[Any]:
        if junked:
            self.again = self.rng.randrange(2**32)
            self.numbers = np.random.default_rng(self.again)
        played = []
        for _ in range(3):
            actions = self._legal()
            if self.facade == "aec":
                if junked and self.rng.random() < 0.5:
                    self._aec_junk()
                    self.doing = "reset after a refusal"
                    self._reset(0)
                return played
            if junked and self.rng.random() < 0.7:
                wrong, words = self._illegal(actions)
                self.doing = f"step with {words}"
                self._refuse(
                    lambda wrong=wrong: self.env.step(wrong), {"action", "actions", "agent"}
                )
            self.doing = "legal step"
            if self.facade in _BY_AGENT and not self.env.agents:
                break
            over = self.simulator.elapsed[0] >= self.simulator.config.max_steps
            if self.facade == "joint" and over:
                break
            step = self.env.step(actions)
            step = (step.observations, step.rewards) if self.facade == "simulator" else step[:2]
            self._check(step[0])
            rewards = list(step[1].values()) if isinstance(step[1], Mapping) else step[1]
            if not np.isfinite(np.asarray(rewards, float)).all():
                raise SilentError("a reward is not finite")
            played.append(step)
        return played

    def _legal(self) -> Any:
        space, simulator = self.simulator.action_space, self.simulator
        shape = (simulator.num_envs, simulator.num_agents, *(space.shape or ()))
        if isinstance(space, gymnasium.spaces.Discrete):
            batch = self.numbers.integers(space.start, space.start + space.n, shape)
        else:
            batch = self.numbers.uniform(space.low, space.high, shape).clip(space.low, space.high)
        if self.facade in _BY_AGENT:
            return dict(zip(simulator.agents, batch[0], strict=True))
        return batch if self.facade in _BATCHED else batch[0]

    def _illegal(self, legal: Any) -> tuple[Any, str]:
        """Actions that nobody may take for legal ones."""
        # Where reals are rounded and clipped, NumPy makes such a real of 2**63, too.
        rng, rounds = self.rng, self.simulator.rounds_real_actions
        bad = rng.choice(
            [None, "x", "", 1j, b"1", object(), float("nan"), [], {}, [[1], [1, 2]], np.array(None),
             np.datetime64("2020"), *([] if rounds else [1e300, float("inf"), -1e300]),
             -1, 10**30, -(10**30), *([] if rounds else [2**63])]
        )  # fmt: skip
        if isinstance(legal, dict):
            wrong, agent = dict(legal), rng.choice(list(legal))
            kind = rng.choice(("value", "missing", "unknown", "shape", "whole"))
            if kind == "value":
                wrong[agent] = bad if not _real_low(self.simulator, bad) else "x"
                return wrong, f"{told(wrong[agent])} by an agent"
            if kind == "missing":
                del wrong[agent]
            elif kind == "unknown":
                wrong["nobody"] = wrong[agent]
            elif kind == "shape":
                wrong[agent] = np.zeros((*np.shape(wrong[agent]), rng.choice((0, 2))))
            else:
                wrong = rng.choice((None, [], "x", list(legal.values()), np.zeros(3), 5))
            return wrong, f"{kind} wrong"
        kind = rng.choice(("entry", "rows", "dimension", "dtype", "whole"))
        array = np.array(legal)
        if kind == "entry":
            array = array.astype(float)
            array.flat[rng.randrange(array.size)] = np.nan
        elif kind == "rows":
            array = array[:-1] if rng.random() < 0.5 else np.concatenate([array, array])
        elif kind == "dimension":
            array = array[None] if rng.random() < 0.5 else array[..., None]
        elif kind == "dtype":
            array = array.astype(rng.choice(("S8", "U8", "O", "c16", "M8[s]", "?")))
        return (bad, f"{told(bad)}") if kind == "whole" else (array, f"{kind} wrong, {array.dtype}")

    def _aec_junk(self) -> None:
        """An agent's illegal action is refused, at the latest when the cycle is complete."""
        wrong, words = self._illegal(self._legal())
        self.doing = f"aec step with {words}"
        actions = wrong if isinstance(wrong, dict) else {}
        agents, legal = list(self.env.agents), self._legal()
        bad = any(a in actions and actions[a] is not legal[a] for a in agents) and "by an" in words

        def cycle() -> None:
            for agent in agents:
                self.env.step(actions.get(agent, legal[agent]))

        self._refuse(cycle, {"action", "actions", "agent"}, must=bad)

    def _check(self, found: Any) -> None:
        """Observations are finite numbers of the space."""
        if self.facade == "aec":
            space = self.env.observation_space(self.env.agent_selection)
            if not space.contains(self.env.last()[0]):
                raise SilentError("an observation is outside its space")
            return
        found = found[0] if isinstance(found, tuple) else found
        if self.facade in _BY_AGENT:
            legal = all(self.env.observation_space(a).contains(o) for a, o in found.items())
        elif self.facade == "simulator":
            space = self.simulator.observation_space
            legal = ((found >= space.low) & (found <= space.high)).all()
        else:
            legal = self.env.observation_space.contains(found)
        if not legal:
            raise SilentError("an observation is outside its space")
        if not self.simulator.state_space.contains(self.simulator.state()[0]):
            raise SilentError("a state is outside its space")


def _real_low(simulator: Any, value: Any) -> bool:
    """Whether a number of an agent may be legal: within a box, or rounded."""
    space = simulator.action_space
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return False
    if isinstance(space, gymnasium.spaces.Discrete):
        return simulator.rounds_real_actions and isinstance(value, float)
    return space.shape == () and bool((space.low <= value) & (value <= space.high))


def _state(simulator: Any) -> dict[str, Any]:
    return {k: v.copy() for k, v in vars(simulator).items() if isinstance(v, np.ndarray)}


def _same(one: Any, two: Any) -> bool:
    try:
        np.testing.assert_equal(one, two)
    except AssertionError:
        return False
    return True
