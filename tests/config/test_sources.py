from __future__ import annotations

import subprocess
import sys

from treetap.config import sources


def test_the_variable_that_was_used_is_told():
    assert sources.from_environment("name", {"DETRIX_NAME": "a"}) == ("a", "DETRIX_NAME")
    assert sources.from_environment("name", {}) is None


def test_no_file_means_no_values(tmp_path):
    assert sources.from_file(str(tmp_path / "none.toml")) == {}


def test_the_toml_reader_is_loaded_only_for_those_who_have_a_file():
    code = (
        "import sys; from treetap.config import resolve; resolve(); print('tomllib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
