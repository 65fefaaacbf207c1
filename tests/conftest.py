"""Settings of the whole test suite."""

import atexit
import os
import resource
import shutil
import tempfile
from contextlib import contextmanager

# Before NumPy or Numba load: two threads on a busy host can be 50 times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
# What experts learn is kept between tests, and away from the user's own cache.
os.environ.setdefault(
    "WIRELESSENVS_CACHE", os.path.join(tempfile.gettempdir(), "wirelessenvs-tests")
)

import hypothesis
import pytest

# A first example may compile a kernel: no deadline. Same examples at every run.
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, max_examples=40, print_blob=True
)
hypothesis.settings.load_profile("tests")

# What the tests verify is no business of the user's cache.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def files_of_at_most():
    """A context in which no file grows beyond some bytes: as on a full disk."""

    @contextmanager
    def limited(size):
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)

    return limited
