from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from treetap.actor import connect_tcp, open_nursery, serve_tcp, tree_token
from treetap.errors import ActorError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for ``localhost`` that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key", "-out", folder / "certificate"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("needs the command openssl")
    both = folder / "both"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


def server_context(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def listen(port_file: str, token: str | None, certificate: str | None) -> None:
    context = server_context(certificate) if certificate else None
    async with trio.open_nursery() as nursery:
        port = await nursery.start(
            lambda task_status: serve_tcp(token=token, ssl_context=context, task_status=task_status)
        )
        Path(port_file).write_text(f"{port}.")


async def port_in(path: Path) -> int:
    with trio.fail_after(60):
        while not (path.exists() and path.read_text().endswith(".")):
            await trio.sleep(0.005)
    return int(path.read_text()[:-1])


@trio.testing.trio_test
async def test_an_actor_is_called_over_tcp_by_a_holder_of_the_trees_token(tmp_path: Path):
    async with open_nursery() as nursery, trio.open_nursery() as tasks:
        bob = await nursery.start_actor("bob")
        tasks.start_soon(bob.run, listen, str(tmp_path / "port"), None, None)
        port = await port_in(tmp_path / "port")
        for token in (None, tree_token()):
            async with connect_tcp("127.0.0.1", port, token=token) as portal:
                assert portal.actor.uid == bob.actor.uid
                assert await portal.run(act.add, 1, 2) == 3
                with pytest.raises(ValueError, match="over there"):
                    await portal.run(act.fail, "over there")
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("here", "there"), [("wrong", None), ("a", "b")])
@trio.testing.trio_test
async def test_who_does_not_hold_the_token_is_sent_away(
    tmp_path: Path, here: str | None, there: str | None
):
    async with open_nursery() as nursery, trio.open_nursery() as tasks:
        bob = await nursery.start_actor("bob")
        tasks.start_soon(bob.run, listen, str(tmp_path / "port"), there, None)
        port = await port_in(tmp_path / "port")
        with pytest.raises(ActorError) as caught:
            async with connect_tcp("127.0.0.1", port, token=here):
                pass
        assert caught.value.slug == "actor-refused"
        async with connect_tcp("127.0.0.1", port, token=there) as portal:
            assert await portal.run(act.add, 1, 2) == 3
        tasks.cancel_scope.cancel()


@trio.testing.trio_test
async def test_an_actor_that_does_not_hold_the_token_is_not_believed():
    """Somebody sits on the port, and says what an actor says as far as it can."""

    async def impostor(stream: trio.SocketStream) -> None:
        await stream.send_all(b"a" * 64)
        await stream.receive_some(128)
        await stream.send_all(b"b" * 64)

    async with trio.open_nursery() as tasks:
        listeners = await tasks.start(trio.serve_tcp, impostor, 0)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(ActorError, match="has not proved"):
            async with connect_tcp("localhost", port, token="t"):
                pass
        tasks.cancel_scope.cancel()


@trio.testing.trio_test
async def test_tls_hides_and_proves(tmp_path: Path, certificate: Path):
    async with open_nursery() as nursery, trio.open_nursery() as tasks:
        bob = await nursery.start_actor("bob")
        tasks.start_soon(bob.run, listen, str(tmp_path / "port"), None, str(certificate))
        port = await port_in(tmp_path / "port")
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with connect_tcp("localhost", port, ssl_context=trusting) as portal:
            assert await portal.run(act.add, 1, 2) == 3
        for context in (ssl.create_default_context(), None):
            with pytest.raises(ActorError):
                async with connect_tcp("localhost", port, ssl_context=context):
                    pass
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("garbage", [b"", b"x" * 64, b"x" * 10_000, b"\0" * 200, b"\xff" * 128])
@trio.testing.trio_test
async def test_a_hostile_connection_harms_nobody(tmp_path: Path, garbage: bytes):
    async with open_nursery() as nursery, trio.open_nursery() as tasks:
        bob = await nursery.start_actor("bob")
        tasks.start_soon(bob.run, listen, str(tmp_path / "port"), None, None)
        port = await port_in(tmp_path / "port")
        idle = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(5)]
        for _ in range(5):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            try:
                await stream.send_all(garbage)
            except trio.BrokenResourceError:
                pass
            await stream.aclose()
        async with connect_tcp("127.0.0.1", port) as portal:
            assert await portal.run(act.add, 1, 2) == 3
        for stream in idle:
            await stream.aclose()
        tasks.cancel_scope.cancel()


@trio.testing.trio_test
async def test_without_any_token_there_is_no_tcp():
    with pytest.raises(ActorError) as caught:
        await serve_tcp()
    assert caught.value.slug == "actor-token"


@trio.testing.trio_test
async def test_nobody_there_is_an_error_that_says_where():
    with pytest.raises(ActorError, match=r"127\.0\.0\.1:1"):
        async with connect_tcp("127.0.0.1", 1, token="t"):
            pass
