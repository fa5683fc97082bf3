from __future__ import annotations

import re
import subprocess

from tests.arch.syntax import REPOSITORY

#: Put together here, so that this file isn't one that names them.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb" + ".debian.org",
]
PATHS = ["/" + "root/", "/" + "work/main", "/" + "work/shared", "/" + "work/.library"]


def committed_files() -> list[tuple[str, str]]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    found = []
    for name in filter(None, done.stdout.split("\0")):
        path = REPOSITORY / name
        if not path.is_file():
            continue  # removed, not yet committed
        try:
            found.append((name, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def lines_with(words: list[str]) -> list[str]:
    pattern = re.compile("|".join(map(re.escape, words)))
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in committed_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry():
    assert lines_with(HOSTS) == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    assert lines_with(PATHS) == []


def test_nothing_is_left_to_do_in_a_comment():
    assert lines_with(["TO" + "DO", "FIX" + "ME", "XX" + "X:"]) == []
