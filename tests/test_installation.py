"""Installed commands are `python -m`; every command says what is not installed."""

import ast
import functools
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from wirelessenvs.faults import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCRIPTS = {
    name: place for name, place in PROJECT["scripts"].items() if name != "networld-benchmarks"
}
PACKAGES = ("wirelessenvs", "networld_agent", "networld_benchmarks", "benchmarks")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in FILES
    if '__name__ == "__main__"' in path.read_text() and path.name != "execute.py"
]
#: Packages whose module has another name.
NAMES = {"PIL": "pillow", "gymnasium_robotics": "gymnasium-robotics", "hydra": "hydra-core",
         "mobile_env": "mobile-env", "stable_baselines3": "stable-baselines3",
         "torch_geometric": "torch-geometric",
         "vector_quantize_pytorch": "vector-quantize-pytorch"}  # fmt: skip

# ------------------------------------------------------------------- what is missing
WITHOUT = """
import contextlib, io, runpy, sys
sys.modules.update(dict.fromkeys({missing!r}))
for name in {commands!r}:
    sys.argv = [name, "--help"]
    told, status = io.StringIO(), None
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module(name, run_name="__main__")
        except SystemExit as ended:
            status = ended.code
        except BaseException as error:
            status = repr(error)
    print(f"{{name}}|{{status}}|{{told.getvalue().strip()}}")
"""


@functools.cache
def helped_without(missing):
    """Exit status, and what was told, of every command's `--help` where packages are missing."""
    code = WITHOUT.format(missing=sorted(missing), commands=COMMANDS)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name: (status, told) for name, status, told in
            (line.split("|") for line in done.stdout.splitlines())}  # fmt: skip


#: Commands that need an extra of their own: its module and its name.
ALONE = {"wirelessenvs.benchmarl": ("benchmarl", "benchmarl")}


def test_every_command_says_what_is_not_installed():
    found = helped_without(frozenset(EXTRAS))
    assert found.keys() == set(COMMANDS)
    for name, (status, told) in found.items():
        if status != "0":
            assert status == "2", name
            modules, extra = ALONE.get(name, ("torch|safetensors", "agent"))
            assert re.fullmatch(
                rf"error: ({modules}) is not installed: pip install 'wirelessenvs\[{extra}\]'", told
            ), name
    helped = {name for name, (status, _) in found.items() if status == "0"}
    assert helped >= {"networld_agent.collect", "networld_agent.data", "wirelessenvs.play"}
    assert not helped & {"networld_agent.evaluate", "benchmarks.run", "benchmarks.baselines.fit"}


def test_the_readme_says_which_command_needs_which_extra():
    section = (ROOT / "README.md").read_text().split("## Installation")[1]
    needs, free = {}, set()
    for row in re.findall(r"^\| (`.*) \| (.*) \|$", section, flags=re.MULTILINE):
        for name in re.findall(r"`((?:networld|wirelessenvs)-\w+)", row[0]):
            needs[name] = set(re.findall(r"`(.*?)`", row[1]))
            free |= {name} if row[1].startswith("none") else set()
    assert needs.keys() == PROJECT["scripts"].keys()
    assert set().union(*needs.values()) <= PROJECT["optional-dependencies"].keys()
    for name, place in SCRIPTS.items():
        status, _ = helped_without(frozenset(EXTRAS))[place.replace(".scripts:", ".")]
        if name in free or "agent" in needs[name]:
            assert (status == "0") == (name in free), name


@pytest.mark.long
def test_every_command_helps_with_pytorch_alone():
    found = helped_without(frozenset(EXTRAS.keys() - {"torch", "safetensors"}))
    refused = {name: told for name, (status, told) in found.items() if status != "0"}
    # It draws in any case.
    assert refused == {
        "benchmarks.report": "error: matplotlib is not installed: pip install "
        "'wirelessenvs[render]'",
        "wirelessenvs.benchmarl": "error: benchmarl is not installed: pip install "
        "'wirelessenvs[benchmarl]'",
    }


def third_party_modules():
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - {*sys.stdlib_module_names, *PACKAGES}


def required(requirements):
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


def test_every_optional_module_is_in_the_extra_that_is_named():
    assert third_party_modules() - required(PROJECT["dependencies"]) <= EXTRAS.keys() | OTHERS
    for module, extra in EXTRAS.items():
        if module != "h5py":  # of minari[hdf5]
            listed = required(PROJECT["optional-dependencies"][extra])
            assert NAMES.get(module, module) in listed, module


#: Of PyTorch itself, and a package that only a table of speeds needs.
OTHERS = {"triton", "tianshou"}


# --------------------------------------------------------------------------- scripts
@pytest.mark.parametrize("name", SCRIPTS)
def test_an_installed_command_is_a_module(name):
    place, _, function = SCRIPTS[name].partition(":")
    entry = getattr(importlib.import_module(place), function)
    (module,) = (cell.cell_contents for cell in entry.__closure__)
    package = {"wirelessenvs": "wirelessenvs", "networld": "networld_agent"}
    first, _, last = name.partition("-")
    assert module == f"{package[first]}.{last}"
    assert module in COMMANDS


MINE = """
raise ValueError("code in the current folder is found")
"""


@pytest.mark.parametrize("form", ["script", "module"])
def test_code_in_the_current_folder_is_found_by_script_and_by_module(form, tmp_path):
    here, scripts = tmp_path / "here", tmp_path / "bin"
    for folder in (here, scripts):
        folder.mkdir()
    (here / "mine.py").write_text(MINE)
    place, _, function = SCRIPTS["networld-collect"].partition(":")
    # What pip writes.
    installed = scripts / "networld-collect"
    installed.write_text(f"import sys\nfrom {place} import {function}\nsys.exit({function}())\n")
    start = [str(installed)] if form == "script" else ["-m", "networld_agent.collect"]
    done = subprocess.run(
        [sys.executable, *start, "--env", "mine:make", "--out", "data"], cwd=here,
        env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "error: --env 'mine:make' cannot be loaded: code in the current folder is found.\n"
    )


def test_importing_loads_no_task():
    """Nor Numba, which takes as long as all the rest: a task is loaded when it is needed."""
    code = (
        "import sys, wirelessenvs; loaded = {'numba', 'torch', 'matplotlib', 'wirelessenvs.rb',"
        " 'wirelessenvs.cbf', 'wirelessenvs.slicing'} & {*sys.modules}; assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("wirelessenvs.torchrl", "torch", "torchrl"),
        ("wirelessenvs.torchrl", "torchrl", "torchrl"),
        ("wirelessenvs.torchrl", "tensordict", "torchrl"),
        ("wirelessenvs.benchmarl", "benchmarl", "benchmarl"),
    ],
)
def test_a_part_for_another_library_says_which_extra_it_needs(module, missing, extra):
    code = f"""
import sys
sys.modules[{missing!r}] = None
try:
    import {module}
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # TorchRL itself needs the other two.
    named = rf"({missing}|torchrl|tensordict)" if module.endswith("torchrl") else missing
    assert re.fullmatch(
        rf"{named} is not installed: pip install 'wirelessenvs\[{extra}\]'", done.stdout.strip()
    )
