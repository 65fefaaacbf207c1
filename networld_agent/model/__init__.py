"""The diffusion world model: encoders, temporal U-Net, return classifier, inverse dynamics."""

from networld_agent.errors import ModelError
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.task_spec import ActionSpec, TaskSpec
from networld_agent.model.world_model import WorldModel

__all__ = ["ActionSpec", "ModelError", "TaskSpec", "WorldModel", "WorldModelConfig"]
