"""What an index gets: a source distribution of all, and a wheel whose commands need no checkout."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from networld_agent.training import run_folder
from networld_benchmarks.__main__ import commands

ROOT = Path(__file__).parents[1]
#: What git ignores and tools leave behind.
MADE = (".*", "__pycache__", "*.egg-info", "build", "dist", "runs")
FOLDERS = ("benchmarks", "docs", "networld_agent", "networld_benchmarks", "tests", "wirelessenvs")
FILES = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
         "constraints.txt", "pyproject.toml", "setup.py")  # fmt: skip
#: A folder as many projects leave it in site-packages, and as a user may have one.
WRONG = "raise ValueError('the benchmarks of another project')\n"


def build(tree, what, out):
    """Builds `what` of a source tree without a network; the path of it."""
    code = f"import setuptools.build_meta as b; print(b.build_{what}({str(out)!r}))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=True
    ).stdout
    return out / told.splitlines()[-1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the checkout: building leaves folders behind."""
    copy = tmp_path_factory.mktemp("checkout") / "tree"
    return Path(shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*MADE)))


@pytest.fixture(scope="module")
def sources(tree, tmp_path_factory):
    """The unpacked source distribution."""
    out = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(tree, "sdist", out)) as archive:
        archive.extractall(out, filter="data")
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


@pytest.fixture(scope="module")
def site(sources, tmp_path_factory):
    """A folder of packages with the wheel in it that the source distribution gives, as pip does."""
    out = tmp_path_factory.mktemp("site")
    wheel = build(sources, "wheel", tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out)
    return out


def files_of(folder, pattern="*"):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_source_distribution_holds_tests_documentation_and_tools(sources):
    held = files_of(sources)
    assert held >= {*FILES}
    for folder in FOLDERS:
        assert files_of(ROOT / folder) <= files_of(sources / folder), folder


def test_the_wheel_takes_three_names_and_carries_all_code(site):
    assert {path.name.partition("-")[0] for path in site.iterdir()} == {
        "networld_agent", "networld_benchmarks", "wirelessenvs",
    }  # fmt: skip
    carried = site / "networld_benchmarks" / "root" / "benchmarks"
    assert files_of(carried, "*.py") == files_of(ROOT / "benchmarks", "*.py")
    assert files_of(carried / "results") == {
        f"gpu/{name}" for name in files_of(ROOT / "benchmarks" / "results" / "gpu")
    }
    for package in ("networld_agent", "wirelessenvs"):
        assert files_of(site / package) == files_of(ROOT / package)


def test_the_page_of_an_index_has_no_relative_link(site):
    (path,) = site.glob("*.dist-info/METADATA")
    page = message_from_string(path.read_text()).get_payload()
    assert page.startswith("# wirelessenvs and NetWorld")
    assert "pip install" in page
    assert all(re.match("https?:|#", link) for link in re.findall(r"\]\(([^)]*)\)", page))


def test_links_are_absolute_once_the_repository_has_an_address(tree, tmp_path):
    copy = Path(shutil.copytree(tree, tmp_path / "tree"))
    project = copy / "pyproject.toml"
    urls = '[project.urls]\nRepository = "https://example.org/them/it"\n\n[tool.ruff]\n'
    project.write_text(project.read_text().replace("[tool.ruff]\n", urls))
    with zipfile.ZipFile(build(copy, "wheel", tmp_path)) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        about = message_from_string(archive.read(name).decode())
    assert about["Project-URL"] == "Repository, https://example.org/them/it"
    assert "](https://example.org/them/it/blob/HEAD/docs/data.md)" in about.get_payload()
    assert "](https://example.org/them/it/raw/HEAD/docs/images/cbf.gif)" in about.get_payload()


def test_an_installed_package_takes_no_revision_from_the_repository_around_it(
    tmp_path, monkeypatch
):
    """A virtual environment lies in its user's repository, mostly."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run([*git, *words], check=True)
    place = tmp_path / "site-packages" / "networld_agent" / "training" / "run_folder.py"
    place.parent.mkdir(parents=True)
    monkeypatch.setattr(run_folder, "__file__", str(place))
    assert run_folder.git_revision() is None
    monkeypatch.setattr(run_folder, "__file__", str(tmp_path / "networld_agent" / "x" / "y.py"))
    assert len(run_folder.git_revision() or "") >= 40


# -------------------------------------------------------------------------- commands
@pytest.fixture
def called(site, tmp_path):
    """Runs `networld-benchmarks WORDS` from the wheel, beside packages of others of that name."""
    here, other = tmp_path / "here", tmp_path / "other"
    for folder in (here, other):
        (folder / "benchmarks").mkdir(parents=True)
        (folder / "benchmarks" / "__init__.py").write_text(WRONG)
    script = tmp_path / "networld-benchmarks"
    # What pip writes.
    script.write_text(
        "import sys\nfrom networld_benchmarks.__main__ import main\nsys.exit(main())\n"
    )

    def call(form, *words):
        start = ["-m", "networld_benchmarks"] if form == "module" else [str(script)]
        return subprocess.run(
            [sys.executable, *start, *words], cwd=here, capture_output=True, text=True,
            env={"PYTHONPATH": f"{other}:{site}", "PATH": "", "HOME": str(tmp_path),
                 "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        )  # fmt: skip

    call.here = here
    return call


def test_an_installed_experiment_has_the_jobs_of_a_checkout(called):
    done = called("script", "run", "--preset", "smoke", "--list")
    assert done.returncode == 0, done.stderr
    checkout = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--preset", "smoke", "--list"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    def keys(text):
        return {line.split()[-1] for line in text.splitlines()[:-1]}

    # A name and the key of code, settings and inputs: equal code gives equal keys anywhere.
    assert keys(done.stdout) == keys(checkout.stdout)
    assert len(keys(done.stdout)) > 50
    assert [path.name for path in called.here.iterdir()] == ["benchmarks"]


@pytest.mark.parametrize(
    ("form", "program"),
    [("script", "networld-benchmarks"), ("module", "python -m networld_benchmarks")],
)
def test_help_shows_the_command_as_it_was_called(form, program, called):
    listed = called(form, "--help").stdout
    assert listed.startswith(f"usage: {program} COMMAND ...")
    assert [line.strip() for line in listed.splitlines()[3:]] == commands()
    assert {"run", "report", "baselines.fit", "baselines.play", "speed"} <= {*commands()}
    assert called(form, "report", "--help").stdout.startswith(f"usage: {program} report [-h]")


def test_faults_end_in_one_sentence_and_status_two(called):
    unknown = called("script", "nothing")
    missing = called("script", "report", "--out", "nothing")
    for done in (unknown, missing):
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
    assert "COMMAND must be one of baselines.dima.fit" in unknown.stderr


@pytest.mark.long
def test_an_installed_experiment_runs_to_its_report(called):
    ran = called("script", "run", "--preset", "smoke", "--tasks", "rb", "--methods", "bc",
                 "--jobs", "1")  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    out = Path("runs") / "benchmark-smoke"
    assert ran.stdout.endswith(f"networld-benchmarks report --out {out}\n")
    reported = called("script", "report", "--out", str(out))
    assert reported.returncode == 0, reported.stderr
    assert (called.here / out / "report" / "index.html").exists()
    assert {path.name for path in called.here.iterdir()} == {"benchmarks", "runs"}
