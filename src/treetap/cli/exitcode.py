"""What a command's exit code means, and which one an error has.

``docs/commands.md`` and the epilog of ``treetap --help`` show this table; a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treetap.errors import TreetapError

OK = 0
FAILURE = 1
USAGE = 2
NO_DAEMON = 3
NOTHING_MATCHES = 4
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130

MEANINGS: dict[int, str] = {
    OK: "done; for tail also: ended by ctrl-c",
    FAILURE: "failed, or a probe can't be armed anywhere",
    USAGE: "the command line, a setting, a location or an expression is wrong",
    NO_DAEMON: "no daemon answers, or what answers isn't treetap's",
    NOTHING_MATCHES: "no such probe, node or tree",
    NOT_EXECUTABLE: "run: the command can't be executed",
    NOT_FOUND: "run: the command wasn't found",
    INTERRUPTED: "ended by ctrl-c",
}

#: Slugs of what the user wrote wrongly: a usage error, whoever noticed it.
_USAGE_SLUGS = {"usage", "where-syntax", "location-syntax", "probe-invalid"}
_USAGE_PREFIXES = ("expression", "config", "request")


def of(error: TreetapError) -> int:
    """The exit code of a command that ends with ``error``."""
    slug = error.slug
    if slug in ("daemon-running", "daemon-stop", "config-exists"):
        return FAILURE
    if slug in _USAGE_SLUGS or slug.startswith(_USAGE_PREFIXES):
        return USAGE
    if slug.endswith(("-unknown", "-not-found")):
        return NOTHING_MATCHES
    if slug.startswith("daemon"):
        return NO_DAEMON
    return FAILURE
