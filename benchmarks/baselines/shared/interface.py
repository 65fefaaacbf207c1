"""What every baseline is: a name, its options, and `fit` from offline data to a policy."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch

from benchmarks.baselines.shared.config import BaselineConfig, TrajectoryConfig
from benchmarks.baselines.shared.held_out import HeldOut
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from benchmarks.baselines.shared.offline_data import OfflineData
from benchmarks.baselines.shared.policy import BaselinePolicy, PolicySpec
from benchmarks.baselines.shared.torch_threads import torch_threads
from benchmarks.baselines.shared.training_loop import Learner, train
from networld_agent.training.run_folder import check_finished, run_folder

__all__ = ["Baseline", "BaselineConfig", "BaselinePolicy", "Learner", "OfflineData", "PolicySpec"]


class Baseline(ABC):
    """An offline method, decentralised: one network, shared by the agents of a task.

    Attributes:
        name: in commands, tables and files.
        config_type: its options, with the defaults of its reference.
        policy_type: what `fit` returns.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[BaselineConfig]]
    policy_type: ClassVar[type[BaselinePolicy]]

    @abstractmethod
    def learner(
        self, data: OfflineData, scaling: ObservationScaling, config: BaselineConfig
    ) -> Learner:
        """Networks of random weights, to be trained on this data."""

    def fit(
        self, data: OfflineData, config: BaselineConfig, folder: Path, progress: bool = True
    ) -> BaselinePolicy:
        """Trains a policy into a run's folder, or goes on with what is there.

        The folder gets `config.json`, `metrics.jsonl`, a checkpoint, `policy`, and
        `snapshots/<updates>`. Everything is a function of the data and the configuration: a run
        that was killed ends with the weights of one that was not.

        Args:
            data: to train on, all of it unless the configuration holds some out.
            config: of the method.
            folder: of the run.
            progress: whether a line shows it.

        Raises:
            ValueError: if the folder is of another run, or training diverges.
            KeyboardInterrupt: if stopped by a signal, after the checkpoint is written.
        """
        if type(config) is not self.config_type:
            raise TypeError(
                f"{self.name} takes a {self.config_type.__name__}, got {type(config).__name__}."
            )
        identity = {"method": self.name, "config": config.identity(), "data": data.identity()}
        with run_folder(folder, identity):
            if (folder / "policy" / "policy.json").exists():
                check_finished(folder, ["policy/policy.json"], config.snapshot_steps())
            else:
                self._train(data, config, folder, progress)
        return self.policy_type.load(folder / "policy")

    def _train(
        self, data: OfflineData, config: BaselineConfig, folder: Path, progress: bool
    ) -> None:
        chooses = agent_ids = False
        if isinstance(config, TrajectoryConfig):
            agent_ids = config.agent_ids
            data = config.preferring(data)
            chooses = config.held_out and data.hold_out()
        with torch_threads(config.threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            scaling = ObservationScaling.of_data(data, config.mean_field, agent_ids)
            learner = self.learner(data, scaling, config)
            held_out = None
            if chooses:
                assert isinstance(config, TrajectoryConfig)
                held_out = HeldOut(learner, data, config)

            def policy() -> BaselinePolicy:
                spec = PolicySpec(
                    data.task, data.observation_size, data.action, config, learner.extra(),
                    scaling.places,
                )  # fmt: skip
                return self.policy_type(spec).fill(learner.actor, scaling)

            def snapshot(step: int) -> None:
                policy().save(folder / "snapshots" / str(step))

            try:
                train(learner, config, folder, progress, snapshot, self.name, held_out)
            except KeyboardInterrupt:
                print("\nstopped: repeat the same command to go on.", file=sys.stderr)
                raise
            policy().save(folder / "policy")
