"""The world model and its training step as one writes them first, with the weights of ours.

Conv1d, GroupNorm and Mish in (batch, channel, time) layout, Adam with its defaults, a Python loop
for the average. Encoders, heads and the loss are ours: they are plain already.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.speed.plain_unet import PlainUNet
from networld_agent.model.batch import Batch
from networld_agent.model.world_model import WorldModel
from networld_agent.training.config import TrainingConfig

__all__ = ["PlainStep", "PlainWorldModel"]


class PlainWorldModel(WorldModel):
    """A world model whose U-Net is written plainly.

    Args:
        ours: whose weights it takes; with a classifier that shares the down path.
    """

    def __init__(self, ours: WorldModel) -> None:
        super().__init__(ours.config, list(ours.tasks.values()))
        if ours.classifier_path is not None:
            raise ValueError("the plain network has no classifier with a down path of its own.")
        self.load_state_dict(ours.state_dict())
        del self.unet
        self.plain = PlainUNet(ours.unet)

    def forward_both(
        self, x: Tensor, tau: Tensor, task: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The U-Net's raw output `(B, H, 2 D)` and the classifier's logits `(B, n)`."""
        condition = self.conditioning(tau, task)
        if context is not None:
            condition = condition + context
        features = self.plain.features(x.transpose(1, 2), condition)
        # (B, C, T) to the classifier's (T, B, C).
        logits = self.classifier(features[-1].permute(2, 0, 1))
        output = self.plain.output(features, condition).transpose(1, 2)
        return output, logits


class PlainStep:
    """Steps on batches that lie on the device already, in turn: drawing them is not counted.

    Args:
        model: to train, on its device.
        batches: of the steps.
        config: of the training.
    """

    def __init__(self, model: WorldModel, batches: Sequence[Batch], config: TrainingConfig) -> None:
        self._model, self._batches, self._config = model, batches, config
        self._parameters = list(model.parameters())
        self._averages = [parameter.detach().clone() for parameter in self._parameters]
        self._adam = torch.optim.Adam(self._parameters, config.learning_rate)
        self._done = 0

    def __call__(self) -> None:
        """One step."""
        config = self._config
        loss = self._model.loss(self._batches[self._done % len(self._batches)])["loss"]
        self._adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, config.clip)
        self._adam.step()
        with torch.no_grad():
            for average, parameter in zip(self._averages, self._parameters, strict=True):
                average.mul_(config.ema_decay).add_(parameter, alpha=1 - config.ema_decay)
        self._done += 1
