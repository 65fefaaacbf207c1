"""The page about one's own network runs as it stands, from a table of sites to a trained policy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your-network.md").read_text()


def test_every_command_of_the_page_runs_in_an_empty_folder(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("torch")
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-e", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "cannot play" not in ended.stdout
    for picture in ("network.png", "fair.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    table = ended.stdout.split("| method |")[1].split("\n\n")[0]
    rewards = dict(re.findall(r"^\| (\S+)[^|]*\|[^|]*\| (-?[\d.]+)", table, re.MULTILINE))
    # The clone has learnt from the expert in this very network.
    assert float(rewards["bc"]) > float(rewards["random"]) + 0.3
