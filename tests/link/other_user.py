"""A process of another user, for tests that attack."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - the other user may not read the interpreter's files
import os
import warnings

import pytest

OTHER_UID = 4711

#: The one place that skips for want of a second user.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextlib.contextmanager
def run_as_other_user(act):
    """Run ``act`` in a forked child of another user; yields that user's id, then waits for it."""
    with warnings.catch_warnings():
        # The child does nothing but system calls.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(OTHER_UID)
            os.setuid(OTHER_UID)
            act()
            code = 0
        finally:
            os._exit(code)
    try:
        yield OTHER_UID
    finally:
        _pid, status = os.waitpid(pid, 0)
    assert status == 0, "the other user's process failed"
