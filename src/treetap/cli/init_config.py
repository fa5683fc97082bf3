"""``treetap init-config``: a ``config.toml`` with every setting in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from treetap.errors import ConfigError

EPILOG = """\b
Examples:
  treetap init-config
  treetap init-config --path -
"""


def init_config(
    path: Annotated[
        str, typer.Option(metavar="FILE", help="Write this file instead; - is standard output.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there; it is kept as .old.")
    ] = False,
) -> None:
    """Write a config.toml that has every setting, commented out.

    It goes into treetap's home, where everything looks for it. A line whose "# " is taken away
    holds: for programs that start from now on, and for the daemon after 'treetap daemon reload'.
    """
    from treetap.config.template import template

    if path == "-":
        sys.stdout.write(template())
        return
    # Without its settings: the file that is there may be what is wrong with them.
    target = Path(path).expanduser() if path else _home() / "config.toml"
    if target.exists() and not force:
        raise ConfigError(
            f"{target} is there already.",
            "Write over it with --force, or look at a new one: treetap init-config --path -.",
            slug="config-exists",
        )
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            target.replace(target.with_name(f"{target.name}.old"))
        # It may come to hold the token.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(template())
    except OSError as exc:
        raise ConfigError(
            f"{target} can't be written: {exc.strerror or exc}.",
            "Name another file: treetap init-config --path FILE.",
            slug="config-file",
        ) from exc
    print(f"Wrote {target}.")


def _home() -> Path:
    from treetap.config.settings import resolve

    # No file: it is about to be written.
    return Path(resolve({}, file={}).home)
