"""Settings of the whole test suite."""

import os
import tempfile

# Before NumPy or Numba load: two threads on a busy host can be 50 times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
# What experts learn is kept between tests, and away from the user's own cache.
os.environ.setdefault(
    "WIRELESSENVS_CACHE", os.path.join(tempfile.gettempdir(), "wirelessenvs-tests")
)

import hypothesis

# A first example may compile a kernel: no deadline. Same examples at every run.
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, max_examples=40, print_blob=True
)
hypothesis.settings.load_profile("tests")
