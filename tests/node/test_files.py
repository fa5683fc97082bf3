from __future__ import annotations

import os
import threading

import pytest

from tests.link.other_user import needs_root, run_as_other_user
from treetap.errors import ControlPlaneError
from treetap.node import files


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.py").write_bytes(b"x = 1\r\n")
    (folder / "sub" / "b.py").write_text("y = 2\n")
    (tmp_path / "secret.py").write_text("password")
    (tmp_path / "workshop").mkdir()
    (tmp_path / "workshop" / "c.py").write_text("c")
    return folder


def read(workspace, path, **fields):
    return files.read({"path": path, **fields}, str(workspace))


def slug_of(workspace, path, **fields):
    with pytest.raises(ControlPlaneError) as caught:
        read(workspace, path, **fields)
    return caught.value.slug


def test_a_file_is_read_as_it_is(workspace):
    assert read(workspace, "a.py") == b"x = 1\r\n"
    assert read(workspace, str(workspace / "a.py")) == b"x = 1\r\n"
    assert read(workspace, "b.py", workspace_root="sub") == b"y = 2\n"
    assert read(workspace, "b.py", workspace_root=str(workspace / "sub"), commit="x") == b"y = 2\n"


@pytest.mark.parametrize(
    "path", ["../secret.py", "/etc/passwd", "sub/../../secret.py", "../workshop/c.py", "..", "/"]
)
def test_what_is_beside_the_workspace_is_not_handed_out(workspace, path):
    assert slug_of(workspace, path) == files.OUTSIDE


@pytest.mark.parametrize("root", ["..", "/", "/etc", "sub/../.."])
def test_a_request_cannot_widen_the_workspace(workspace, root):
    assert slug_of(workspace, "a.py", workspace_root=root) == files.OUTSIDE


def test_a_link_out_of_the_workspace_is_followed_before_it_is_judged(workspace, tmp_path):
    (workspace / "link.py").symlink_to(tmp_path / "secret.py")
    (workspace / "way").symlink_to(tmp_path)
    (workspace / "inner.py").symlink_to(workspace / "a.py")
    assert slug_of(workspace, "link.py") == files.OUTSIDE
    assert slug_of(workspace, "way/secret.py") == files.OUTSIDE
    assert slug_of(workspace, "secret.py", workspace_root="way") == files.OUTSIDE
    assert read(workspace, "inner.py") == b"x = 1\r\n"


def test_a_link_that_is_put_in_between_check_and_read_gains_nothing(workspace, tmp_path):
    is_over = threading.Event()
    target, swapped = workspace / "swap.py", workspace / "swap.new"

    def swap():
        while not is_over.is_set():
            for content in (workspace / "a.py", tmp_path / "secret.py"):
                swapped.symlink_to(content)
                os.replace(swapped, target)

    target.symlink_to(workspace / "a.py")
    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(2000):
            try:
                seen.add(read(workspace, "swap.py"))
            except ControlPlaneError as exc:
                seen.add(exc.slug)
    finally:
        is_over.set()
        thread.join()
    assert seen <= {b"x = 1\r\n", files.OUTSIDE}


def test_what_is_no_regular_file_is_missing(workspace):
    os.mkfifo(workspace / "pipe")
    assert slug_of(workspace, "pipe") == files.MISSING
    assert slug_of(workspace, "sub") == files.MISSING
    assert slug_of(workspace, "none.py") == files.MISSING
    assert slug_of(workspace, "a.py/x") == files.MISSING


def test_only_text_up_to_ten_mebibytes_is_handed_out(workspace):
    (workspace / "large").write_bytes(b"x" * files.MAX_FILE_BYTES)
    assert len(read(workspace, "large")) == files.MAX_FILE_BYTES
    (workspace / "large").write_bytes(b"x" * (files.MAX_FILE_BYTES + 1))
    assert slug_of(workspace, "large") == files.TOO_LARGE
    (workspace / "binary").write_bytes(b"\xff\xfe")
    assert slug_of(workspace, "binary") == files.NOT_TEXT


@pytest.mark.parametrize("path", ["", 7, None, "a\0b", "\ud800", ["a.py"]])
def test_a_path_is_text(workspace, path):
    assert slug_of(workspace, path) == files.MALFORMED


@pytest.mark.parametrize("fields", [[], ["path"], "path", None, {}, 7])
def test_a_request_names_a_path(workspace, fields):
    with pytest.raises(ControlPlaneError) as caught:
        files.read(fields, str(workspace))
    assert caught.value.slug == files.MALFORMED


@needs_root
def test_what_the_process_may_not_read_is_forbidden(workspace, tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    (workspace / "a.py").chmod(0o600)

    def try_it():
        assert slug_of(workspace, "a.py") == files.FORBIDDEN

    with run_as_other_user(try_it):
        pass
