"""The command that shows a family: a table of its splits, and a picture."""

import numpy as np
import pytest
from PIL import Image

from wirelessenvs.families import FAMILIES, deployments
from wirelessenvs.families import __main__ as command


@pytest.mark.parametrize("family", FAMILIES)
def test_it_prints_ranges_and_writes_a_picture(family, tmp_path, capsys):
    path = tmp_path / "family.png"
    assert command.main([family, "--deployments", "8", "--png", str(path)]) == 0
    printed = capsys.readouterr().out
    for split in FAMILIES[family].splits:
        assert f"| {split} |" in printed
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), int).reshape(-1, 3)
    # Dots of the law of training are blue, those beyond it orange.
    colors = {tuple(pixel) for pixel in pixels[pixels.std(1) > 30]}
    assert any(blue > red + 60 for red, _, blue in colors)
    assert any(red > blue + 60 for red, _, blue in colors)


def test_its_numbers_are_those_of_the_deployments():
    values = command.samples(FAMILIES["rb"], 5)
    assert list(values) == list(FAMILIES["rb"].splits)
    for index, site in enumerate(deployments("rb", "beyond-load")[:5]):
        assert site.quantities["nodes"] == site.config.num_nodes
        assert values["beyond-load"]["load"][index] == site.config.offered_load


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lte"], "family must be one of 'rb', 'cbf', 'slicing'"),
        (["rb", "--deployments", "0"], "--deployments must be at least 1"),
        (["rb", "--png", "no/such/folder/x.png"], "does not exist"),
    ],
)
def test_faults_end_in_one_sentence_and_status_two(arguments, sentence, capsys):
    assert command.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sentence in error
