"""The joint loss: denoising, return classification, inverse dynamics, optional reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from networld_agent.model.batch import Batch, TaskBatch
from networld_agent.model.config import WorldModelConfig

if TYPE_CHECKING:
    from networld_agent.model.world_model import WorldModel

__all__ = ["joint_loss", "loss_names"]


def joint_loss(model: WorldModel, batch: Batch) -> dict[str, Tensor]:
    """The weighted sum "loss" and its parts as scalars.

    Parts are "diffusion", "classifier", "inverse", and, if they are on, "planned_action" and
    "reconstruction". Each is the mean over sequences weighted as the batch says. Time 0 is the
    clamped present: no noise is added to it and no loss is taken there.
    """
    config = model.config
    latents = [model.encode(part.task, part.observations) for part in batch.parts]
    means = [_heard(model, part, z) for part, z in zip(batch.parts, latents, strict=True)]
    weights = torch.cat([_weights(part) for part in batch.parts]).float()
    x0 = torch.cat(
        [torch.cat([z, mean], -1).flatten(0, 1) for z, mean in zip(latents, means, strict=True)]
    )
    task = torch.cat(
        [
            torch.full((part.num_sequences,), model.task(part.task).index, device=x0.device)
            for part in batch.parts
        ]
    )
    source = x0.detach() if config.stop_gradient == "all" else x0
    x = model.schedule.noisy(source, batch.tau, batch.noise)
    x = torch.cat([source[:, :1], x[:, 1:]], 1)
    output, logits = model.forward_both(x, batch.tau, task, *_context(model, batch))

    clean = x0 if config.stop_gradient == "none" else x0.detach()
    if config.prediction == "x0":
        target = clean
    elif config.prediction == "noise":
        target = batch.noise
    else:
        target = model.schedule.velocity(clean, batch.tau, batch.noise)
    output = output.float()
    error = (output - target)[:, 1:].square()
    if config.communication == "none":
        error = error[..., : config.latent_size]
    per_step = error.mean(2)
    # Filled, not assigned to: an assignment would send the number from the host.
    steps = torch.cat(
        [
            per_step.new_full((1,), config.first_step_weight),
            per_step.new_ones(per_step.shape[1] - 1),
        ]
    )
    losses = {"diffusion": (weights * (per_step @ (steps / steps.sum()))).sum()}

    classifier, inverse, planned, behaviour, reconstruction = [], [], [], [], []
    counts = [part.num_sequences for part in batch.parts]
    estimated = model.to_x0(output, x, batch.tau).detach()
    rows, estimates = logits.split(counts), estimated.split(counts)
    for part, z, mean, part_logits, estimate in zip(
        batch.parts, latents, means, rows, estimates, strict=True
    ):
        labels = model.scaled_returns(part.task, part.returns.flatten())
        entropy = model.return_bins(part.task).cross_entropy(part_logits, labels)
        classifier.append(_weighted(entropy, part))
        head = model.inverse(part.task)
        known = model.known(part.task, z, part.observations)
        loss = head.loss(known[:, :, :-1], z[:, :, 1:], part.actions).mean(2)
        inverse.append(_weighted(loss, part))
        if _plans_actions(config):
            present = known[:, :, 0].flatten(0, 1)
            if config.stop_gradient == "all":
                present = present.detach()
            generated = estimate[:, 1, : config.latent_size]
            loss = head.loss(present, generated, part.actions[:, :, 0].flatten(0, 1))
            planned.append(_weighted(loss, part))
        if config.behaviour_weight:
            loss = model.behaviour(part.task).loss(known[:, :, :-1], mean[:, :, :-1], part.actions)
            behaviour.append(_weighted(loss.mean(2), part))
        if config.reconstruction_weight:
            wanted = model.scaled_observations(part.task, part.observations)
            missing = (model.reconstruct(part.task, z) - wanted).square().mean((2, 3))
            reconstruction.append(_weighted(missing, part))
    losses["classifier"] = torch.stack(classifier).sum()
    losses["inverse"] = torch.stack(inverse).sum()
    total = (
        config.diffusion_weight * losses["diffusion"]
        + config.classifier_weight * losses["classifier"]
        + config.inverse_weight * losses["inverse"]
    )
    if planned:
        losses["planned_action"] = torch.stack(planned).sum()
        total = total + config.planned_action_weight * losses["planned_action"]
    if behaviour:
        losses["behaviour"] = torch.stack(behaviour).sum()
        total = total + config.behaviour_weight * losses["behaviour"]
    if reconstruction:
        losses["reconstruction"] = torch.stack(reconstruction).sum()
        total = total + config.reconstruction_weight * losses["reconstruction"]
    return {"loss": total, **losses}


def loss_names(config: WorldModelConfig) -> tuple[str, ...]:
    """Names of what `joint_loss` returns, in its order."""
    parts = {
        "planned_action": _plans_actions(config),
        "behaviour": config.behaviour_weight > 0,
        "reconstruction": config.reconstruction_weight > 0,
    }
    return "loss", "diffusion", "classifier", "inverse", *(n for n, on in parts.items() if on)


def _plans_actions(config: WorldModelConfig) -> bool:
    # Estimates from predicted noise are far off at high levels: their actions would teach nothing.
    return config.planned_action_weight > 0 and config.prediction != "noise"


def _heard(model: WorldModel, part: TaskBatch, z: Tensor) -> Tensor:
    """What agents hear of latents `(W, N, H, D)`, in the same shape."""
    seating = part.seating
    if seating is not None:
        # Selected, not indexed: the gradient of an index is summed row by row on a CPU.
        z = z[0].index_select(0, seating.seats.flatten()).unflatten(0, seating.seats.shape)
    heard = model.heard(z.transpose(1, 2), (part.mean_weights,)).transpose(1, 2)
    return heard if seating is None else heard.flatten(0, 1).index_select(0, seating.rows)[None]


def _context(model: WorldModel, batch: Batch) -> tuple[Tensor, ...]:
    """`(B, 2 E)` what the contexts add to the conditions; nothing if no task's does."""
    found = [model.condition(part.task, part.observations[:, :, 0]) for part in batch.parts]
    given = [rows for rows in found if rows is not None]
    if not given:
        return ()
    rows = [
        given[0].new_zeros(part.num_sequences, given[0].shape[-1])
        if added is None
        else added.flatten(0, 1)
        for part, added in zip(batch.parts, found, strict=True)
    ]
    return (torch.cat(rows),)


def _weights(part: TaskBatch) -> Tensor:
    """`(R,)` of the sequences of a part."""
    if isinstance(part.weight, Tensor):
        return part.weight
    return part.returns.new_full((part.num_sequences,), part.weight)


def _weighted(losses: Tensor, part: TaskBatch) -> Tensor:
    """The sum of a part's losses, one per sequence, as they weigh in the batch."""
    if isinstance(part.weight, Tensor):
        return (losses.flatten() * part.weight).sum()
    return losses.sum() * part.weight
