from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest

from tests.dap.conftest import HERE, OBSERVED, Observed, line_of, until, watching
from treetap import dap
from treetap.model.probe import Limits

FILE = str(OBSERVED)
HIT, SUM = line_of("HIT"), line_of("SUM")
WIDE = Limits(max_depth=5, max_items=1000, max_chars=2_000_000, max_fields=20)

#: Expressions of the program, and what arrives.
EXACT: list[tuple[str, Any]] = [
    ("None", None),
    ("True", True),
    ("-2**63", -(2**63)),
    ("2**63", {"$": "int", "v": str(2**63)}),
    ("0.1", 0.1),
    ("float('nan')", {"$": "float", "v": "nan"}),
    ("''", ""),
    (repr("a|b=c\x1f,\"'\\ {value} %s %(x)s \r\n\t\0 \u2028 é 日本 🙂"), None),
    ("'treetap-' + '0' * 32 + ' \\n'", "treetap-" + "0" * 32 + " \n"),
    ("'é' * 1_000_000", "é" * 1_000_000),
    ("'a\\ud800b'", {"$": "str", "v": "a\\ud800b", "len": 3}),
    ("b'\\x00ab'", {"$": "bytes", "v": "\\x00ab", "len": 3}),
    ("[1, ['x']]", {"$": "list", "items": [1, {"$": "list", "items": ["x"], "len": 1}], "len": 2}),
    ("{'a': 1}", {"$": "dict", "items": [["a", 1]], "len": 1}),
]


def test_values_arrive_exact_whatever_they_hold(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            points = [dap.Logpoint("v", HIT, ("value",), limits=WIDE)]
            [placed] = await watched.session.set_logpoints(FILE, points)
            assert placed == dap.Placed("v", True, HIT)
            for text, _ in EXACT:
                await program.do(f"len(repr(take({text})))")
            await until(lambda: len(watched.hits) == len(EXACT))
            assert [hit.number for hit in watched.hits] == list(range(len(EXACT)))
            for hit, (text, expected) in zip(watched.hits, EXACT, strict=True):
                assert hit.values == (eval(text) if expected is None else expected,)
                assert (hit.thread_name, hit.function) == ("MainThread", "take")
            assert watched.faults == []

    asyncio.run(scenario())


def test_what_fails_is_told_apart_and_the_program_goes_on(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            points = [
                dap.Logpoint("v", SUM, ("nowhere", "total", "1 +", "[total + x for x in (1,)]")),
                dap.Logpoint("c", HIT, ("value",), condition="value.missing"),
            ]
            await watched.session.set_logpoints(FILE, points)
            assert await program.do("add(1, 2)") == "(3, 'hunter2')"
            assert await program.do("take(1), take(2)") == "(1, 2)"
            await until(lambda: watched.hits and watched.faults)
            unknown, total, wrong, nested = watched.hits[0].values
            assert unknown == {
                "$": "error",
                "type": "NameError",
                "text": "name 'nowhere' is not defined",
            }
            assert (total, wrong["type"], nested["items"]) == (3, "SyntaxError", [4])
            [fault] = watched.faults
            assert (fault.id, fault.kind) == ("c", "condition")
            assert "has no attribute 'missing'" in fault.text
            counts = await watched.session.counts()
            assert counts["c"].skipped == {"condition-error": 2}

    asyncio.run(scenario())


def test_what_the_program_prints_is_no_hit(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            await watched.session.set_logpoints(FILE, [dap.Logpoint("v", HIT, ("value",))])
            forged = json.dumps({"rows": [[1, 0, 0, 0, "", "", ["forged"], None]], "more": False})
            text = repr("treetap-" + "0" * 32 + " " + forged + "\n")
            await program.do(f"print({text}, file=sys.stderr)")
            await program.do("take('real')")
            await until(lambda: watched.hits)
            assert (watched.values("v"), watched.faults) == ([("real",)], [])

    asyncio.run(scenario())


#: What a logpoint asks for; the numbers of 0 to 9 that it records; and why not the others.
RECORDED: list[tuple[dict[str, Any], list[int], dict[str, int]]] = [
    ({"condition": "value % 2"}, [1, 3, 5, 7, 9], {"condition": 5}),
    ({"hit_condition": "%4"}, [3, 7], {"condition": 8}),
    ({"condition": "value % 2", "hit_condition": ">=4"}, [7, 9], {"condition": 8}),
    ({"mode": "sample", "rate": 4}, [0, 4, 8], {"sample": 7}),
    ({"mode": "first"}, [0], {"first": 9}),
    ({"mode": "sample_interval", "rate": 3600}, [0], {"sample_interval": 9}),
    ({"mode": "throttle", "rate": 0.001}, [0], {"throttle": 9}),
    ({"max_hits": 3}, [0, 1, 2], {"max_hits": 7}),
]


def test_conditions_modes_and_limits_hold_in_the_program(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            for number, (when, seen, skipped) in enumerate(RECORDED):
                point_id = f"v{number}"
                points = [dap.Logpoint(point_id, HIT, ("value",), **when)]
                await watched.session.set_logpoints(FILE, points)
                await program.do("count(10)")
                counts = await watched.session.counts()
                assert counts == {point_id: dap.Counts(10, len(seen), skipped)}
                assert watched.values(point_id) == [(value,) for value in seen]

    asyncio.run(scenario())


def test_a_snapshot_has_stack_and_locals_and_no_secret(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            point = dap.Logpoint("s", SUM, wants_stack=True, wants_locals=True, max_frames=3)
            await watched.session.set_logpoints(FILE, [point])
            await program.do("add(40, 2)")
            await until(lambda: watched.hits)
            form = watched.hits[0].snapshot
            assert form["stack"][0] == ["add", FILE, SUM]
            assert len(form["stack"]) == 3
            assert form["locals"] == [
                ["first", 40],
                ["second", 2],
                ["total", 42],
                ["password", {"$": "not-captured", "reason": "redacted", "type": "str"}],
            ]

    asyncio.run(scenario())


def test_a_hit_says_in_which_thread_it_was(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            await watched.session.set_logpoints(FILE, [dap.Logpoint("v", HIT, ("value",))])
            await program.do("in_thread('the other', 5)")
            await until(lambda: watched.hits)
            assert watched.hits[0].thread_name == "the other"

    asyncio.run(scenario())


def test_a_line_without_code_moves_and_a_file_that_is_not_there_is_not_verified(
    program: Observed,
):
    async def scenario() -> None:
        async with watching(program) as watched:
            # Where debugpy puts a line without code is its own affair; that it says so is ours.
            [moved] = await watched.session.set_logpoints(FILE, [dap.Logpoint("m", SUM - 1)])
            assert moved.is_verified
            assert moved.line in (SUM - 2, SUM)
            missing = str(HERE / "nowhere.py")
            [unplaced] = await watched.session.set_logpoints(missing, [dap.Logpoint("n", 3)])
            assert not unplaced.is_verified
            assert "does not exist" in unplaced.message

    asyncio.run(scenario())


def test_a_logpoint_that_stays_keeps_its_counts_and_one_that_goes_sees_nothing(
    program: Observed,
):
    async def scenario() -> None:
        async with watching(program) as watched:
            stays, goes = dap.Logpoint("a", HIT, ("value",)), dap.Logpoint("b", SUM, ("total",))
            await watched.session.set_logpoints(FILE, [stays, goes])
            await program.do("take(1), add(1, 2)")
            await watched.session.set_logpoints(FILE, [stays])
            await program.do("take(2), add(3, 4)")
            assert list(await watched.session.counts()) == ["a"]
            assert [hit.number for hit in watched.hits if hit.id == "a"] == [0, 1]
            assert watched.values("b") == [(3,)]

    asyncio.run(scenario())


def test_files_and_functions_that_are_loaded_are_found(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            assert await watched.session.find_sources("dap/observed.py") == [FILE]
            assert await watched.session.find_sources("bserved.py") == []
            found = await watched.session.find_function("__main__", "take")
            assert found == (FILE, HIT)
            assert await watched.session.find_function("__main__", "take.nothing") is None

    asyncio.run(scenario())


def test_nothing_stays_behind_and_the_next_session_works_as_the_first(program: Observed):
    async def scenario() -> None:
        for _ in range(3):
            async with watching(program) as watched:
                await watched.session.set_logpoints(FILE, [dap.Logpoint("v", HIT, ("value",))])
                await program.do("take(1)")
                await until(lambda: watched.hits)
            assert watched.ends == ["closed"]
            assert await program.do("hasattr(__builtins__, '__treetap_dap__')") == "False"
        assert await program.do("take(2)") == "2"

    asyncio.run(scenario())


def test_a_program_that_stops_itself_is_let_go_on(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            assert await program.do("stop()") == "'went on'"
            await until(lambda: [fault for fault in watched.faults if fault.kind == "stop"])

    asyncio.run(scenario())


def test_a_stopped_program_is_known_to_be_silent_until_it_answers_again(program: Observed):
    async def scenario() -> None:
        async with watching(program, silent_s=0.3) as watched:
            await until(lambda: watched.session.is_answering)
            program.process.send_signal(signal.SIGSTOP)
            try:
                await until(lambda: not watched.session.is_answering)
            finally:
                program.process.send_signal(signal.SIGCONT)
            await until(lambda: watched.session.is_answering)
            assert "silent" in {fault.kind for fault in watched.faults}
            assert watched.session.is_alive

    asyncio.run(scenario())


def test_the_last_words_of_a_program_are_heard_without_being_asked_for(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            await watched.session.set_logpoints(FILE, [dap.Logpoint("v", HIT, ("value",))])
            # What the end of the main thread calls.
            await program.do("count(50), __treetap_dap__.last_words()")
            await until(lambda: len(watched.hits) == 50)
            assert watched.values("v") == [(number,) for number in range(50)]

    asyncio.run(scenario())


def test_a_program_that_ends_ends_its_session(own_program: Observed):
    async def scenario() -> None:
        async with watching(own_program) as watched:
            own_program.ask("sys.exit(3)")
            await until(lambda: watched.ends)
            assert not watched.session.is_alive
            assert not watched.session.is_answering

    asyncio.run(scenario())


def test_a_hit_condition_that_is_none_is_an_error_and_sets_nothing(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            with pytest.raises(dap.DapError, match="no hit condition") as caught:
                await watched.session.set_logpoints(
                    FILE, [dap.Logpoint("v", HIT, hit_condition="often")]
                )
            assert caught.value.slug == "dap-logpoint"

    asyncio.run(scenario())
