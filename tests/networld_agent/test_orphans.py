"""Whatever a killed process has started ends by itself, within seconds."""

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: A parent that is killed, and two children that write their ids and what they are told.
CHILDREN = """
import multiprocessing, os, signal, subprocess, sys, time
from pathlib import Path
from networld_agent.orphans import end_with_parent

def work(place, grace_s):
    end_with_parent(grace_s)
    signal.signal(signal.SIGTERM, lambda *_: Path(f"{place}.told").touch())
    Path(f"{place}.new").write_text(str(os.getpid()))
    Path(f"{place}.new").rename(f"{place}.pid")
    while True:
        time.sleep(0.05)

if __name__ == "__main__":
    kind, folder, grace_s = sys.argv[1:]
    if kind == "work":
        work(folder, float(grace_s))
    for name in ("one", "two"):
        place = os.path.join(folder, name)
        if kind == "command":
            subprocess.Popen([sys.executable, __file__, "work", place, grace_s])
        else:
            context = multiprocessing.get_context(kind)
            context.Process(target=work, args=(place, float(grace_s))).start()
    time.sleep(60)
"""


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Nobody need collect the status of an orphan.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] in ("", "Z")


def start(tmp_path, kind, grace_s):
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    parent = subprocess.Popen(
        [sys.executable, str(script), kind, str(tmp_path), grace_s],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 2, 30)
    return parent, [int(path.read_text()) for path in tmp_path.glob("*.pid")]


# Every job of a run holds a copy of the pipe that keeps the server alive which forked it.
@pytest.mark.parametrize("kind", ["forkserver", "spawn", "command"])
def test_children_of_a_killed_process_are_told_and_end(kind, tmp_path):
    parent, children = start(tmp_path, kind, "0.5")
    assert not any(gone(pid) for pid in children)
    parent.kill()
    parent.wait()
    wait_for(lambda: all(gone(pid) for pid in children), 5)
    assert {path.name for path in tmp_path.glob("*.told")} == {"one.told", "two.told"}


def test_a_child_that_keeps_nothing_ends_at_once(tmp_path):
    parent, children = start(tmp_path, "spawn", "0")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: all(gone(pid) for pid in children), 2)
    assert not list(tmp_path.glob("*.told"))


def started_functions():
    """Functions of this project that are the target of a process, with their code."""
    files = [path for package in ("networld_agent", "benchmarks") for path in
             (ROOT / package).rglob("*.py")]  # fmt: skip
    trees = [ast.parse(path.read_text()) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    targets = {
        keyword.value.id
        for node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Process")
        for keyword in node.keywords
        if keyword.arg == "target" and isinstance(keyword.value, ast.Name)
    }
    found = [n for n in nodes if isinstance(n, ast.FunctionDef) and n.name in targets]
    return {function.name: ast.unparse(function) for function in found}


def test_every_process_that_is_started_ends_with_its_parent():
    functions = started_functions()
    assert functions.keys() >= {"run_in_child", "_work", "work"}
    for name, code in functions.items():
        assert "end_with_parent(" in code, name
