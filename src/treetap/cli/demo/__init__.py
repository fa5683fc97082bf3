"""``treetap demo``: everything once, on real processes, in a home of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from treetap.cli import exitcode

EPILOG = """\b
Examples:
  treetap demo
  treetap demo --seconds 2 | cat
"""


def demo(
    seconds: Annotated[
        float, typer.Option(metavar="S", min=0.5, max=600, help="How long to watch values.")
    ] = 5.0,
) -> None:
    """See it all at work: a web server, probed while it serves requests.

    Starts the standard library's web server, unmodified, as a tapped tree, with a daemon and a
    home of its own; sends it real requests; shows the values; puts it to sleep; measures what
    probes cost. Leaves nothing behind. Exit code 0 only if values really arrived and sleep left
    nothing in the server.
    """
    from treetap.cli.demo import story

    if not story.tell(seconds):
        raise typer.Exit(exitcode.FAILURE)
