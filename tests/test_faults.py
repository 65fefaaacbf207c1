"""Faults of the machine: a full disk, no memory, what is not installed, in one sentence each."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wirelessenvs import bench, play
from wirelessenvs.command import imports_of, replacing, run, whole_file
from wirelessenvs.faults import (
    WriteError,
    check_installed,
    fault_sentence,
    write_error,
    writing,
)
from wirelessenvs.rendering import write_gif

ROOT = Path(__file__).parents[1]
TOLD = "cannot write {}: File too large. Make room and repeat the same command."


def as_text(path):
    with whole_file(path) as partial:
        partial.write_text("x" * 5000)


def as_array(path):
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, values=np.zeros(5000))


def as_gif(path):
    noise = np.random.default_rng(0).integers(0, 255, (2, 100, 100, 3), np.uint8)
    write_gif(path, list(noise), fps=2)


@pytest.mark.parametrize("write", [as_text, as_array, as_gif])
def test_a_full_disk_is_named_with_the_file_and_leaves_what_was_there(
    write, tmp_path, files_of_at_most
):
    path = tmp_path / "figures"
    path.write_text("before")
    with files_of_at_most(1000), pytest.raises(WriteError) as caught:
        write(path)
    assert str(caught.value) == TOLD.format(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_went_is_named_with_the_file(tmp_path):
    path = tmp_path / "gone" / "x.json"
    with pytest.raises(WriteError, match=f"cannot write {path}: No such file or directory"), \
         replacing(path):  # fmt: skip
        pass


def test_a_fault_of_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "x"):
        (tmp_path / "other").read_text()
    assert not list(tmp_path.iterdir())


def test_a_file_is_named_once():
    first = write_error(Path("inner"), OSError(errno.ENOSPC, "full"), "do this.")
    assert str(first) == "cannot write inner: full. Do this."
    with pytest.raises(WriteError) as caught, writing(Path("outer")):
        raise first
    assert str(caught.value) == str(first)


def test_a_full_standard_output_is_a_sentence(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    code = (
        "import sys; from wirelessenvs.command import run\n"
        "sys.exit(run(lambda _: print('figures'), None))"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot write the output: No space left on device. Make room and repeat the same "
        "command.\n"
    )


# ------------------------------------------------------------------------------ memory
@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (MemoryError("Unable to allocate 989. MiB for an array with shape (9,)"), "989 MiB"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't "
                      "allocate memory: you tried to allocate 41200000000 bytes. Error code 12"),
         "41.2 GB"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 1 GiB"),
         "2.5 GiB"),
    ],
)  # fmt: skip
def test_too_little_memory_names_what_was_asked_for_and_what_to_lower(error, asked):
    options = ("num_envs", "out", "overrides", "preset")
    assert fault_sentence(error, options) == (
        f"the memory is not enough ({asked} more were asked for): lower --num-envs, sizes given by "
        "--set or --preset, or use a machine with more."
    )


def test_other_faults_of_the_program_are_none_of_the_machine(capsys):
    assert fault_sentence(RuntimeError("a worker died")) is None
    assert fault_sentence(KeyError("x")) is None
    with pytest.raises(ZeroDivisionError):
        run(lambda _: 1 / 0, None)
    assert "no more can be had): lower sizes or batches" in fault_sentence(MemoryError())


def test_a_real_command_without_memory_ends_in_one_sentence(tmp_path):
    arguments = ["rb-v0", "--num-envs", "900000", "--seconds", "0.01"]
    code = (
        "import resource, sys; from wirelessenvs import bench\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2_500_000_000,) * 2)\n"
        f"sys.exit(bench.main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: the memory is not enough (")
    assert "--num-envs" in done.stderr
    assert done.stderr.count("\n") == 1


# ------------------------------------------------------------------- what is missing
def test_a_module_that_is_missing_is_named_with_its_extra(capsys):
    def command(_):
        raise ModuleNotFoundError("No module named 'matplotlib.figure'", name="matplotlib.figure")

    assert run(command, None) == 2
    assert capsys.readouterr().err == (
        "error: matplotlib is not installed: pip install 'wirelessenvs[render]'\n"
    )


def test_what_the_end_of_the_work_needs_is_looked_for_before_it(monkeypatch, tmp_path, capsys):
    check_installed("numpy", "PIL")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        check_installed("numpy", "no_such_module")
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert play.main(["rb-v0", "--steps", "5", "--gif", str(tmp_path / "x.gif")]) == 2
    told = capsys.readouterr()
    assert told.err == "error: PIL is not installed: pip install 'wirelessenvs[render]'\n"
    assert told.out == ""


def test_imports_of_a_command_end_it_and_those_of_a_module_do_not(capsys):
    with pytest.raises(SystemExit) as ended, imports_of("__main__"):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    assert ended.value.code == 2
    assert "pip install 'wirelessenvs[agent]'" in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError), imports_of(bench.__name__):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")


def test_the_folder_of_a_full_disk_is_named_where_the_system_does():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x")
    assert fault_sentence(error).startswith("cannot write runs/x: No space left on device. Make")


def test_ctrl_c_while_a_command_imports_is_one_word(capsys):
    with pytest.raises(SystemExit) as ended, imports_of("__main__"):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\ninterrupted.\n"
    with pytest.raises(KeyboardInterrupt), imports_of("somewhere.imported"):
        raise KeyboardInterrupt
