"""``files/read``: hands out source files of the workspace, and nothing beside it."""

from __future__ import annotations

import os
import stat

from treetap.errors import ControlPlaneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_FILE_BYTES = 10 * 1024 * 1024

MALFORMED = "files-malformed"
OUTSIDE = "files-outside"
MISSING = "files-missing"
TOO_LARGE = "files-size"
FORBIDDEN = "files-forbidden"
NOT_TEXT = "files-not-text"


def read(fields: Any, boundary: str) -> bytes:
    """The bytes of a text file.

    Args:
        fields: The request's body: ``path``, and ``workspace_root`` where it isn't
            ``boundary`` itself.
        boundary: Directory that nothing may be read beside.

    Raises:
        ControlPlaneError: With one of this module's slugs.
    """
    if not isinstance(fields, dict) or "path" not in fields:
        raise ControlPlaneError("Missing 'path' in request body", slug=MALFORMED)
    path = _path_text(fields["path"], "path")
    boundary = os.path.realpath(boundary)
    root = boundary
    if fields.get("workspace_root") is not None:
        wanted = _path_text(fields["workspace_root"], "workspace_root")
        root = os.path.realpath(os.path.join(boundary, wanted))
        if not _is_within(root, boundary):
            raise ControlPlaneError("Workspace root escapes trust boundary", slug=OUTSIDE)
    path = os.path.realpath(os.path.join(root, path))
    if not _is_within(path, root):
        raise _outside()
    try:
        return _read_text(path, root)
    except PermissionError as exc:
        raise ControlPlaneError("Permission denied", slug=FORBIDDEN) from exc
    except OSError as exc:
        raise ControlPlaneError("File not found", str(exc), slug=MISSING) from exc


def _read_text(path: str, root: str) -> bytes:
    # Without waiting for a writer, should it be a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ControlPlaneError("Not a regular file", slug=MISSING)
        if not _is_within(_opened_path(descriptor, path), root):
            raise _outside()
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise ControlPlaneError("File exceeds maximum size", slug=TOO_LARGE)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ControlPlaneError("File is not valid UTF-8", slug=NOT_TEXT) from exc
    return content


def _opened_path(descriptor: int, path: str) -> str:
    """Where the file really is: somebody may have put a link into the path since it was resolved."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return path


def _path_text(given: Any, name: str) -> str:
    if not isinstance(given, str) or not given or "\0" in given:
        raise ControlPlaneError(f"Invalid '{name}' value", slug=MALFORMED)
    try:
        os.fsencode(given)
    except UnicodeEncodeError as exc:
        raise ControlPlaneError(f"Invalid '{name}' value", slug=MALFORMED) from exc
    return given


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _outside() -> ControlPlaneError:
    return ControlPlaneError("Path not within workspace", slug=OUTSIDE)
