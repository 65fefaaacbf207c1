"""Models and batches of several tasks, to train step by step."""

import torch
from dataset_cases import small_dataset
from training_cases import TINY

from networld_agent.data import TrajectoryDataset
from networld_agent.data.windows import WindowSource
from networld_agent.model import WorldModel
from networld_agent.training.batches import BatchSampler
from networld_agent.training.config import TrainingConfig
from networld_agent.training.task_specs import make_task_spec

CPU = torch.device("cpu")
CONFIG = TrainingConfig(
    steps=12, batch_size=32, warmup_steps=4, log_every=4, save_every=6, ema_decay=0.9
)


def sources(*tasks):
    return [WindowSource(TrajectoryDataset.open(small_dataset(task))) for task in tasks]


def parts(*tasks, config=CONFIG, seed=0):
    """A model and a sampler of these tasks."""
    found = sources(*tasks)
    specs = [make_task_spec(source.task, i, [source], TINY) for i, source in enumerate(found)]
    torch.manual_seed(seed)
    return WorldModel(TINY, specs), BatchSampler(found, TINY, config.batch_size, config.seed)
