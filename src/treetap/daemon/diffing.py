"""From a diff that adds prints and log lines to what would be observed instead.

Somebody wrote down which values he wants to see, and where. If the lines are in the file, that is
where they are; if they aren't, it is at the line that would follow them: there the same values
would be printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from treetap.daemon.inspection import read_source
from treetap.daemon.printing import Printed, printed_in
from treetap.errors import ProbeError, TreetapError
from treetap.model.probe import MAX_EXPRESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unidiff.patch import Hunk, Line, PatchedFile

MAX_DIFF_CHARS = 512 * 1024
MAX_OBSERVED = 200
_MAX_CODE_CHARS = 500


class Observed(NamedTuple):
    """Attributes:
    file: As the diff has it: programs know their files by longer paths, and by shorter ones.
    line: Where to observe; 0 if there is no place for it.
    expressions: What to take.
    confidence: ``high`` (names), ``medium`` (calls) or ``low``.
    code: The added text.
    complaint: Why it can't be observed; ``""`` if it can.
    """

    file: str
    line: int
    expressions: list[str]
    confidence: str
    code: str
    complaint: str = ""


class Reading(NamedTuple):
    """Attributes:
    observed: What was found, in the order of the diff.
    warnings: What somebody should know of the files.
    """

    observed: list[Observed]
    warnings: list[str]


def read_diff(text: str, roots: Sequence[str] = ()) -> Reading:
    """What a unified diff would print. Reads the files: not for the loop's own thread.

    Args:
        text: The diff.
        roots: Directories that its paths may be relative to.

    Raises:
        ProbeError: It is no unified diff (slug ``diff-syntax``).
    """
    if len(text) > MAX_DIFF_CHARS:
        raise _no_diff(f"it has {len(text)} characters; the limit is {MAX_DIFF_CHARS}")
    try:
        patch = PatchSet.from_string(text)
    except (UnidiffParseError, ValueError) as exc:
        raise _no_diff(str(exc) or type(exc).__name__) from exc
    if not patch:
        raise _no_diff("it names no file")
    observed: list[Observed] = []
    warnings: list[str] = []
    for file in patch:
        place = _Place.of(file, roots)
        observed += place.observed()
        warnings += place.warnings
    if len(observed) > MAX_OBSERVED:
        warnings.append(f"Only the first {MAX_OBSERVED} of {len(observed)} lines are taken.")
    return Reading(observed[:MAX_OBSERVED], warnings)


class _Place:
    """A file of the diff, and the same on disk, if it is there."""

    def __init__(self, file: PatchedFile, path: str, lines: list[str] | None) -> None:
        self._file = file
        self._path = path
        self._lines = lines
        self.warnings: list[str] = []
        self._is_applied = self._found_applied()

    @classmethod
    def of(cls, file: PatchedFile, roots: Sequence[str]) -> _Place:
        for root in ("/", *roots):
            if root != "/" or file.path.startswith("/"):
                path = str(Path(root, file.path))
                try:
                    return cls(file, path, read_source(path).splitlines())
                except TreetapError:
                    continue
        return cls(file, file.path, None)

    def observed(self) -> list[Observed]:
        if self._file.is_removed_file:
            return []
        found = []
        for hunk in self._file:
            for run in _runs(hunk):
                code = [line.value.rstrip("\r\n") for line in run]
                found += [
                    self._observe(hunk, run, printed)
                    for printed in printed_in(code, Path(self._path).suffix)
                ]
        return found

    def _observe(self, hunk: Hunk, run: list[Line], printed: Printed) -> Observed:
        expressions = list(dict.fromkeys(printed.expressions))[:MAX_EXPRESSIONS]
        line = run[printed.position].target_line_no or 0
        complaint = ""
        if not expressions:
            complaint = "It prints no value, only text."
        if not self._is_applied:
            line = _following(hunk, run)
            if not line or self._leaves_block(line, printed.indent):
                line = 0
                complaint = complaint or (
                    "The line isn't in the file, and no other line follows it in its block."
                )
        return Observed(
            self._file.path,
            line,
            expressions,
            printed.confidence,
            printed.code[:_MAX_CODE_CHARS],
            complaint,
        )

    def _leaves_block(self, line: int, indent: int) -> bool:
        """Whether what would follow an added line is outside of what that belongs to."""
        if self._lines is None or line > len(self._lines):
            return self._lines is not None
        text = self._lines[line - 1]
        return bool(text.strip()) and len(text) - len(text.lstrip()) < indent

    def _found_applied(self) -> bool:
        """Whether the file on disk is the one after the diff."""
        if self._lines is None:
            self.warnings.append(
                f"{self._path} isn't on the daemon's disk: its lines are taken as the diff has "
                "them when it is applied."
            )
            return True
        if self._has((line.target_line_no, line.value) for line in self._of("+ ")):
            return True
        if self._has((line.source_line_no, line.value) for line in self._of("- ")):
            return False
        self.warnings.append(
            f"{self._path} is neither what the diff begins with nor what it makes: check the lines."
        )
        return True

    def _of(self, types: str) -> Iterator[Line]:
        return (line for hunk in self._file for line in hunk if line.line_type in types)

    def _has(self, wanted: Iterator[tuple[int | None, str]]) -> bool:
        lines = self._lines or []
        return all(
            number is not None
            and number <= len(lines)
            and lines[number - 1].rstrip() == value.rstrip()
            for number, value in wanted
        )


def _runs(hunk: Hunk) -> Iterator[list[Line]]:
    """Added lines that follow each other."""
    run: list[Line] = []
    for line in hunk:
        if line.is_added:
            run.append(line)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _following(hunk: Hunk, run: list[Line]) -> int:
    """The first line with text of the old file behind a run; 0 if the hunk ends there."""
    is_behind = False
    for line in hunk:
        if line is run[-1]:
            is_behind = True
        elif is_behind and line.source_line_no and line.value.strip():
            return int(line.source_line_no)
    return 0


def _no_diff(why: str) -> ProbeError:
    return ProbeError(
        f"This is no unified diff: {why}.",
        "Give what `git diff` or `diff -u` writes, whole.",
        slug="diff-syntax",
    )
