from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.dap.conftest import Observed, Watched, watching
from tests.dap.fake_adapter import Peer, adapter, answer_all
from treetap import dap


async def refusal(host: str, port: int, language: str = "python", **more: Any) -> dap.DapError:
    watched = Watched()
    with pytest.raises(dap.DapError) as caught:
        await watched.attach(host, port, language, **more)
    assert watched.ends == [], "what never began doesn't end"
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_a_host_may_be_a_name_or_an_address_of_either_kind(host: str):
    async def scenario() -> None:
        async with adapter(answer_all, host.strip("[]")) as port:
            watched = await Watched().attach(host, port)
            assert watched.session.is_alive
            await watched.session.close()
            assert watched.ends == ["closed"]

    asyncio.run(scenario())


def test_nobody_there_is_told_at_once_with_the_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = asyncio.run(refusal("127.0.0.1", port))
    assert error.slug == "dap-unreachable"
    assert f"127.0.0.1:{port}" in error.what


def test_a_host_that_does_not_exist_is_told():
    error = asyncio.run(refusal("nowhere.invalid", 5678))
    assert error.slug == "dap-unreachable"


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno!",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: -1\r\n\r\n{}",
        b'Content-Length: 4\r\n\r\n"hi"',
        b"Content-Length: 7\r\n\r\n\xff\xfe{{{{{",
        b"x" * 3_000_000,
    ],
)
def test_what_is_no_adapter_is_recognised_whatever_it_says(said: bytes):
    async def behave(peer: Peer) -> None:
        peer.writer.write(said)
        await peer.reader.read()

    async def scenario() -> None:
        async with adapter(behave) as port:
            assert (await refusal("127.0.0.1", port)).slug == "dap-not-an-adapter"

    asyncio.run(scenario())


def test_who_hangs_up_is_told_from_who_says_nothing():
    async def hang_up(peer: Peer) -> None:
        await peer.request()

    async def say_nothing(peer: Peer) -> None:
        await peer.reader.read()

    async def scenario() -> None:
        async with adapter(hang_up) as port:
            assert (await refusal("127.0.0.1", port)).slug == "dap-ended"
        async with adapter(say_nothing) as port:
            error = await refusal("127.0.0.1", port, timeout_s=0.2)
            assert error.slug == "dap-slow"
            assert "0.2 s" in error.what

    asyncio.run(scenario())


def test_an_adapter_that_never_gets_ready_is_too_slow():
    async def behave(peer: Peer) -> None:
        while True:
            request = await peer.request()
            if request["command"] != "attach":
                peer.answer(request)

    async def scenario() -> None:
        async with adapter(behave) as port:
            assert (await refusal("127.0.0.1", port, timeout_s=0.3)).slug == "dap-slow"

    asyncio.run(scenario())


def test_a_refusal_is_told_in_the_adapters_words():
    message = {"format": "no process {pid}", "variables": {"pid": "4711"}}

    async def behave(peer: Peer) -> None:
        no = {"success": False, "message": "failed", "body": {"error": {"id": 1, **message}}}
        await answer_all(peer, attach=no)

    async def scenario() -> None:
        async with adapter(behave) as port:
            error = await refusal("127.0.0.1", port)
            assert error.slug == "dap-refused"
            assert "no process 4711" in error.what

    asyncio.run(scenario())


def test_a_language_that_has_no_adapter_is_refused():
    error = asyncio.run(refusal("127.0.0.1", 5678, "cobol"))
    assert error.slug == "dap-language"


def test_an_adapter_that_asks_for_something_is_told_no_and_goes_on():
    answers: list[dict[str, Any]] = []

    async def behave(peer: Peer) -> None:
        peer.send({"type": "request", "command": "runInTerminal", "arguments": {}})
        while not answers or len(answers) < 2:
            message = await peer.request()
            if message["type"] == "response":
                answers.append(message)
                break
            peer.answer(message)
        await answer_all(peer)

    async def scenario() -> None:
        async with adapter(behave) as port:
            watched = await Watched().attach("127.0.0.1", port)
            await watched.session.close()
        [answer] = answers
        assert (answer["command"], answer["success"]) == ("runInTerminal", False)

    asyncio.run(scenario())


def test_a_second_debugger_is_told_that_the_first_is_there(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            error = await refusal(program.host, program.port)
            assert error.slug == "dap-busy"
            assert watched.session.is_alive

    asyncio.run(scenario())


def test_who_gives_up_halfway_lets_the_program_go_on():
    """delve has stopped it by then, and would leave it so."""
    commands: list[str] = []

    async def behave(peer: Peer) -> None:
        while True:
            request = await peer.request()
            commands.append(request["command"])
            peer.answer(request)
            if request["command"] == "attach":
                peer.send({"type": "event", "event": "initialized"})

    async def configure(session: dap.Session) -> None:
        raise ValueError("changed my mind")

    async def scenario() -> None:
        async with adapter(behave) as port:
            with pytest.raises(ValueError, match="changed my mind"):
                await Watched().attach("127.0.0.1", port, "go", configure=configure)

    asyncio.run(scenario())
    assert commands == ["initialize", "attach", "configurationDone", "disconnect"]


def test_delve_that_has_no_program_yet_is_told_the_pid():
    modes: list[str] = []

    async def behave(peer: Peer) -> None:
        while True:
            request = await peer.request()
            arguments = request.get("arguments") or {}
            if request["command"] != "attach":
                peer.answer(request)
                continue
            modes.append(arguments["mode"])
            if arguments["mode"] == "remote":
                peer.answer(request, success=False, message="no debugger found")
            else:
                assert arguments["processId"] == 4711
                peer.answer(request)
                peer.send({"type": "event", "event": "initialized"})

    async def scenario() -> None:
        async with adapter(behave) as port:
            watched = await Watched().attach("127.0.0.1", port, "go", pid=4711)
            await watched.session.close()

    asyncio.run(scenario())
    assert modes == ["remote", "local"]
