"""One baseline in one task, run for real, that several test files share."""

import dataclasses

import safetensors.numpy

from benchmarks.experiment.presets import PRESETS
from benchmarks.run import run_protocol

#: Of the training that tests interrupt: a few seconds.
OPTIONS = ("steps=1500", "batch_size=16", "hidden_size=16", "save_every=20", "log_every=1000")
PART = dataclasses.replace(PRESETS["smoke"], baseline_options={"bc": OPTIONS})


def run_part(out, protocol=PART, **how):
    return run_protocol(protocol, out, tasks=["rb"], methods=["bc"], **how)


def run_again(out, capsys):
    """Runs once more; returns the names of the jobs that were done, and what was printed."""
    capsys.readouterr()
    outcome = run_part(out)
    return [job.name for job in outcome.finished], capsys.readouterr()


def fit_folder(out):
    return next((out / "jobs").glob("fit-rb-bc-*"))


def weights(out):
    (path,) = (fit_folder(out) / "policy").glob("*.safetensors")
    return safetensors.numpy.load_file(path)


def assert_same_weights(one, two):
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)
