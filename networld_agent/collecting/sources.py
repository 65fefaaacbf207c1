"""Episodes of a collection: blocks of them, played side by side in worlds."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

import networld_agent
import wirelessenvs
from networld_agent.collecting.action_forms import action_forms
from networld_agent.collecting.settings import CollectionSettings
from networld_agent.collecting.tiers import policy_and_share, tier_policy
from networld_agent.data.files import Chunk
from networld_agent.data.labels import action_labels, metric_labels, observation_labels
from networld_agent.data.metadata import Description, Quantity
from networld_agent.worlds.interface import Worlds, WorldStep
from networld_agent.worlds.make import deployment_worlds, make_worlds
from networld_agent.worlds.policies import BatchFunction, BatchPolicy
from networld_agent.worlds.randomness import BLOCK, RandomActions
from networld_agent.worlds.spaces import action_info, action_size, observation_info
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.loading import load
from wirelessenvs.tasks import get_task

__all__ = ["EpisodeSource"]

#: Arrays with an entry before every action and one after the last.
_SEEN = ("observations", "adjacency", "state")
#: Bytes of steps held before they are handed on.
BUFFER_BYTES = 48_000_000


class EpisodeSource:
    """Plays blocks of episodes; any source made from the same settings gives the same.

    Every episode has its own seed, its own random actions and its own policy memory: how episodes
    are batched changes nothing but speed. Environments of a factory play one by one.

    Args:
        settings: of the collection.

    Raises:
        ValueError: if environment or policy do not exist or cannot play.
    """

    def __init__(self, settings: CollectionSettings) -> None:
        self._settings = settings
        self._overrides = dict(settings.overrides)
        self._function: Callable[..., Any] | None = None
        if not settings.foreign:
            asked = self._overrides.pop("max_steps", settings.steps)
            if asked != settings.steps:
                raise ValueError(
                    f"max_steps is the length of an episode: give --steps {asked} instead."
                )
        self._worlds = self._make(1)
        if settings.foreign and settings.policy != "random":
            if ":" not in settings.policy:
                raise ValueError(
                    "--policy of an environment from a factory must be 'random' or "
                    f"module:function, got {settings.policy!r}."
                )
            self._function = load(settings.policy, "--policy")
        if not settings.foreign:
            self._named(settings.policy)
        for tier in dict.fromkeys(settings.episode_policies):
            self._policy(policy_and_share(tier, 0.0)[0], (0,))
        self._forms = action_forms(self._worlds.task, self._config)
        self._description = self._describe()
        self._layouts = self._description.layouts()
        self._dtypes = {name: np.dtype(x.dtype) for name, x in self._layouts.items()}
        self._known = {metric.name for metric in self._description.metrics}

    def _make(self, num_envs: int) -> Worlds:
        settings = self._settings
        steps = settings.steps
        if settings.deployment is not None:
            return deployment_worlds(settings.deployment, num_envs, steps, self._overrides)
        return make_worlds(settings.env, num_envs, steps, settings.preset, self._overrides)

    @property
    def _config(self) -> Any:
        """Of a task; None of an environment from a factory."""
        simulator = self._worlds.simulator
        return None if simulator is None else simulator.config

    # ----------------------------------------------------------------- describe
    def describe(self) -> Description:
        """The data set that these settings give."""
        return self._description

    def _describe(self) -> Description:
        settings, worlds = self._settings, self._worlds
        state_size = self._state_size() if settings.state else 0
        # Some environments have a graph only after a reset, and name metrics only in a step.
        seen = worlds.reset(settings.seeds[:1])
        graph = NeighborGraph(worlds.agents, worlds.adjacency[0])
        self._given = worlds.graph_given
        self._adjacency = None if worlds.graph_changes else graph.adjacency
        if not self._given:
            warnings.warn(
                f"{settings.env} has no graph: every agent hears every other one.", stacklevel=2
            )
        environment, versions, metrics = (
            self._factory(seen) if self._config is None else self._task()
        )
        context = None if worlds.simulator is None else worlds.simulator.context
        labels = observation_labels(worlds.task, self._config, worlds.observation_size, context)
        names = action_labels(worlds.task, self._config, action_size(worlds.action_space))
        rows = None if self._adjacency is None else self._adjacency.astype(int).tolist()
        return Description(
            task=worlds.task,
            environment=environment,
            versions={"networld_agent": networld_agent.__version__, **versions},
            policy=settings.policy,
            epsilon=float(settings.epsilon or 0.0),
            seeds=settings.seeds,
            episode_policies=settings.episode_policies,
            steps=settings.steps,
            agents=worlds.agents,
            observation=observation_info(worlds.observation_space, labels),
            action=action_info(worlds.action_space, names),
            metrics=metrics,
            forms={name: form for name, (form, _) in self._forms.items()},
            adjacency=None if rows is None else tuple(tuple(row) for row in rows),
            graph_given=self._given,
            terminations=settings.foreign,
            state_size=state_size,
        )

    def _state_size(self) -> int:
        try:
            return self._worlds.state_size
        except ValueError:
            raise ValueError(
                f"--state records state(), which {self._settings.env} does not have."
            ) from None

    def _task(self) -> tuple[dict[str, Any], dict[str, str], tuple[Quantity, ...]]:
        """Environment, versions and metrics of one of this project's tasks."""
        task, simulator = get_task(self._worlds.task), self._worlds.simulator
        assert simulator is not None
        environment = {
            "gymnasium_id": task.gymnasium_id,
            "preset": self._settings.preset or next(iter(task.config.presets)),
            # Through JSON: what is described equals what is read back.
            "config": simulator.config.to_json(),
        }
        if (site := self._settings.deployment) is not None:
            environment["deployment"] = {
                "family": site.family.name,
                "version": site.family.version,
                "split": site.split,
                "index": site.index,
            }
        versions = {"wirelessenvs": wirelessenvs.__version__}
        return environment, versions, metric_labels(task.id, simulator.metric_names)

    def _factory(
        self, seen: NDArray[np.float32]
    ) -> tuple[dict[str, Any], dict[str, str], tuple[Quantity, ...]]:
        """The same of an environment from a factory; plays one step to see its metrics."""
        factory, worlds = self._settings.env, self._worlds
        try:
            arguments = json.loads(json.dumps(self._overrides))
        except (TypeError, ValueError):
            raise ValueError(
                f"--set must give numbers, words and lists, got {self._overrides}."
            ) from None
        package = factory.split(":")[0].split(".")[0]
        versions = {name: version(name) for name in packages_distributions().get(package, ())[:1]}
        policy = self._policy(self._settings.policy, self._settings.seeds[:1])
        # Only who asks for random actions needs a space that has them.
        actions = policy(seen) if policy else worlds.sampler()(np.random.default_rng(0))[:1]
        step = worlds.step(actions)
        metrics = tuple(Quantity(name, "") for name in step.metrics)
        return {"factory": factory, "arguments": arguments}, versions, metrics

    # --------------------------------------------------------------------- play
    def _named(self, tier: str) -> str:
        """Name of the task's policy that plays a tier."""
        site = self._settings.deployment
        if site is not None and tier == "expert":
            return site.family.expert
        return tier_policy(get_task(self._worlds.task), tier, self._config)

    def _policy(self, tier: str, seeds: tuple[int, ...]) -> BatchPolicy | BatchFunction | None:
        """The policy of a block; None if all its actions are random."""
        if self._function is not None:
            name = f"--policy {self._settings.policy}"
            return BatchFunction(self._function, seeds, name, self._worlds)
        simulator = self._worlds.simulator
        if simulator is None:
            return None
        name = self._named(tier)
        return None if name == "random" else BatchPolicy(name, simulator, seeds)

    def close(self) -> None:
        """Closes the environments."""
        self._worlds.close()

    def play(self, episodes: tuple[int, ...]) -> Iterator[Chunk]:
        """The episodes with these indices, all of one tier, in pieces of bounded size."""
        size = 1 if self._settings.foreign else len(episodes)
        for first in range(0, len(episodes), size):
            yield from self._play(episodes[first : first + size])

    def _play(self, episodes: tuple[int, ...]) -> Iterator[Chunk]:
        """Plays episodes of one tier side by side."""
        settings, total = self._settings, self._settings.steps
        assert settings.epsilon is not None
        seeds = tuple(settings.seeds[e] for e in episodes)
        if self._worlds.num_envs != len(episodes):
            self._worlds.close()
            self._worlds = self._make(len(episodes))
        worlds = self._worlds
        observations = worlds.reset(seeds)
        self._check_graph(seeds)
        tier, epsilon = policy_and_share(settings.episode_policies[episodes[0]], settings.epsilon)
        policy = self._policy(tier, seeds)
        if policy is None:
            epsilon = 1.0
        mixing = epsilon > 0
        sources: list[RandomActions] = []
        if mixing:
            sampler = worlds.sampler()
            sources = [RandomActions(seed, epsilon, len(worlds.agents), sampler) for seed in seeds]
        chosen: NDArray[Any] = np.zeros(0)
        drawn: NDArray[Any] = np.zeros(0)
        buffer = self._buffer(len(episodes))
        length, first = buffer["rewards"].shape[2], 0
        shape = (len(episodes), len(worlds.agents), *self._description.action.shape)
        actions: NDArray[Any]
        for t in range(total):
            if mixing and t % BLOCK == 0:
                pairs = [source.draw() for source in sources]
                chosen = np.stack([pair[0] for pair in pairs])
                drawn = np.stack([pair[1] for pair in pairs]).astype(self._dtypes["actions"])
            k = t - first
            self._record_seen(buffer, k, observations)
            if policy is None:
                actions = drawn[:, t % BLOCK]
            else:
                # What is executed is what is recorded, to the last bit.
                actions = policy(observations).astype(self._dtypes["actions"])
                if actions.shape != shape:
                    raise ValueError(
                        f"--policy {settings.policy} must return shape {shape[1:]}, "
                        f"got {actions.shape[1:]}."
                    )
                if mixing:
                    mask = chosen[:, t % BLOCK]
                    actions[mask] = drawn[:, t % BLOCK][mask]
            step = worlds.step(actions)
            observations = step.observations
            buffer["actions"][:, :, k] = actions
            buffer["rewards"][:, :, k] = step.rewards
            self._record_metrics(buffer, k, step)
            if "terminations" in buffer:
                buffer["terminations"][:, k] = step.terminated
            if t + 1 < total:
                self._check_length(step, t + 1, seeds)
            else:
                self._record_seen(buffer, k + 1, observations)
            if k + 1 == length or t + 1 == total:
                yield self._chunk(episodes, first, k + 1, buffer, t + 1 == total)
                first = t + 1
        self._check_graph(seeds)

    # ------------------------------------------------------------------- checks
    def _check_graph(self, seeds: tuple[int, ...]) -> None:
        if self._given and self._adjacency is not None:
            same = (self._worlds.adjacency == self._adjacency).all((1, 2))
            if not same.all():
                raise ValueError(
                    f"the graph of {self._settings.env} changed in the episode with seed "
                    f"{seeds[int(same.argmin())]}: only static graphs can be recorded."
                )

    def _check_length(self, step: WorldStep, steps: int, seeds: tuple[int, ...]) -> None:
        over = step.terminated | step.truncated
        if over.any():
            raise ValueError(
                f"the episode with seed {seeds[int(over.argmax())]} ended after {steps} steps: "
                f"--steps must be at most {steps} (or the environment be told to go on longer)."
            )

    # ------------------------------------------------------------------- pieces
    def _record_seen(
        self, buffer: dict[str, NDArray[Any]], k: int, observations: NDArray[np.float32]
    ) -> None:
        """What there is before an action."""
        buffer["observations"][:, :, k] = observations
        if "adjacency" in buffer:
            buffer["adjacency"][:, k] = self._worlds.adjacency
        if "state" in buffer:
            state, shape = self._worlds.state(), buffer["state"][:, k].shape
            if state.shape != shape or not np.isfinite(state).all():
                raise ValueError(
                    f"{self._settings.env}: state() must give {shape[-1]} finite numbers in every "
                    "step, as it does in the first."
                )
            buffer["state"][:, k] = state

    def _record_metrics(self, buffer: dict[str, NDArray[Any]], k: int, step: WorldStep) -> None:
        """An info may come and go: nan where there was none."""
        for column, metric in enumerate(self._description.metrics):
            buffer["metrics"][:, :, k, column] = step.metrics.get(metric.name, np.nan)
        if late := step.metrics.keys() - self._known:
            self._known |= late
            warnings.warn(
                f"{self._settings.env}: {', '.join(sorted(late))} was not in the first step's "
                "infos, which say what is recorded: it is left out.",
                stacklevel=2,
            )

    def _buffer(self, num_envs: int) -> dict[str, NDArray[Any]]:
        """Arrays for as many steps as fit into `BUFFER_BYTES`, and one more observation."""
        steps = self._settings.steps
        per_step = sum(x.episode_bytes for x in self._layouts.values()) * num_envs / steps
        length = int(min(steps, max(1, BUFFER_BYTES // per_step)))
        buffer = {}
        for name, layout in self._layouts.items():
            if name in self._forms:
                continue
            shape = list(layout.shape)
            axis = layout.lead
            shape[0], shape[axis] = num_envs, length + shape[axis] - steps
            buffer[name] = np.empty(shape, self._dtypes[name])
        return buffer

    def _chunk(
        self,
        episodes: tuple[int, ...],
        first: int,
        count: int,
        buffer: dict[str, NDArray[Any]],
        last: bool,
    ) -> Chunk:
        arrays = {}
        for name, values in buffer.items():
            final = count + 1 if last and name in _SEEN else count
            arrays[name] = (
                values[:, :final] if self._layouts[name].lead == 1 else values[:, :, :final]
            )
        for name, (_, convert) in self._forms.items():
            arrays[name] = convert(arrays["actions"])
        return Chunk(episodes, first, arrays)
