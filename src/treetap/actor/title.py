"""The process title: what ``ps`` shows of an actor."""

from __future__ import annotations


def find_place() -> None:
    """Look where the title is to be written. Before the environment is exchanged: it is found by that."""
    try:
        import setproctitle
    except ImportError:
        return
    setproctitle.getproctitle()


def set_title(text: str) -> None:
    """Show ``treetap: <text>``; nothing happens without the package ``setproctitle``."""
    try:
        import setproctitle
    except ImportError:
        return
    setproctitle.setproctitle(f"treetap: {text}")
    # The 15 characters that `top` and `pgrep` see.
    setproctitle.setthreadtitle(text)
