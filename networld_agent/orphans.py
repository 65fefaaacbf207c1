"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

__all__ = ["end_with_parent"]

#: Seconds that an orphan has to stop between two steps and to save what it has.
_GRACE_S = 5.0
#: How often a process that was not started by `multiprocessing` looks for its parent.
_EVERY_S = 0.5


def end_with_parent(grace_s: float = _GRACE_S) -> None:
    """Ends this process once its parent is gone, even by kill -9.

    The orphan is told as Ctrl-C in the parent would tell it, and ended soon after.

    Args:
        grace_s: seconds between SIGTERM and the end; 0 sends no signal.
    """
    threading.Thread(target=_watch, args=(os.getppid(), grace_s), daemon=True).start()


def _watch(parent_id: int, grace_s: float) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A pipe whose other end only the parent holds. That is the process that asked for this
        # one, also where a server forked it, which is what the system calls the parent.
        parent.join()
    else:
        while os.getppid() == parent_id:
            time.sleep(_EVERY_S)
    if grace_s > 0:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
    os._exit(1)
