"""The languages of programs that can be observed: what they are called, and what they are."""

from __future__ import annotations

LANGUAGES = {
    "python": "python",
    "go": "go",
    "golang": "go",
    "rust": "rust",
    "c": "c",
    "cpp": "cpp",
    "c++": "cpp",
}
