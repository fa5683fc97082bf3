from __future__ import annotations

import warnings

import pytest

from treetap.compat.detrix import auth


@pytest.fixture
def home(bare_environment, tmp_path):
    home = tmp_path / "detrix"
    home.mkdir()
    return home


def put(home, name, text, mode=0o600):
    (home / name).write_text(text)
    (home / name).chmod(mode)


def test_the_variable_comes_before_the_file(home, bare_environment):
    put(home, "auth-token", "of the file\n")
    assert auth.discover_auth_token(home) == "of the file"
    bare_environment.setenv("DETRIX_TOKEN", " of the variable ")
    assert auth.discover_auth_token(home) == "of the variable"


def test_a_variable_of_blanks_is_an_empty_token(home, bare_environment):
    put(home, "auth-token", "of the file")
    bare_environment.setenv("DETRIX_TOKEN", "  ")
    assert auth.discover_auth_token(home) == ""


def test_the_token_file_of_either_version_is_found_by_default(home, bare_environment):
    assert auth.discover_auth_token() is None
    put(home, "mcp-token", "old")
    assert auth.discover_auth_token() == "old"
    put(home, "auth-token", "new")
    assert auth.discover_auth_token() == "new"
    bare_environment.setenv("TREETAP_DETRIX_PY", "1.0.0")
    assert auth.discover_auth_token() == "old"
    (home / "mcp-token").unlink()
    assert auth.discover_auth_token() == "new"


def test_a_token_file_that_others_can_read_is_warned_of_and_used(home):
    put(home, "auth-token", "seen", 0o644)
    with pytest.warns(UserWarning, match=r"insecure permissions \(mode=0o644\)"):
        assert auth.discover_auth_token(home) == "seen"
    (home / "auth-token").chmod(0o400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert auth.discover_auth_token(home) == "seen"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True), ("LOCALHOST:80", True), ("127.0.0.1", True), ("127.0.0.1:80", True),
        ("::1", True), ("[::1]", True), ("[::1]:80", True), ("0.0.0.0", False), ("", False),
        ("example.com", False), ("10.0.0.1:80", False), ("::2", False),
    ],
)  # fmt: skip
def test_the_three_names_of_this_machine(host, is_local):
    assert auth.is_localhost(host) is is_local


def test_no_token_no_header():
    assert auth.get_auth_headers("t") == {"Authorization": "Bearer t"}
    assert auth.get_auth_headers("") == auth.get_auth_headers(None) == {}
