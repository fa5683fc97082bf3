"""A supervised server with a live log: wait until it is up, use it, see each request, end it."""

import logging
import re
import sys
import urllib.error
import urllib.request

import trio

from treetap.process import IO, ProcessLines, open_process_lines

SERVER = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
log = logging.getLogger("server")


async def until_up(lines: ProcessLines) -> str:
    """The server's address, which it says in its first line."""
    async for line in lines:
        log.log(IO, "%s: %s", line.stream, line.text)
        if found := re.search(r"http://[\d.:]+/", line.text):
            return found[0]
    raise RuntimeError("the server ended before it was up")


async def show(lines: ProcessLines, seen: dict[str, trio.Event]) -> None:
    async for line in lines:
        log.log(IO, "%s: %s", line.stream, line.text)
        for path, event in seen.items():
            if f"GET {path} " in line.text:
                event.set()


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def main() -> None:
    # kill_tree: the workers that a server may have end with it.
    async with open_process_lines(SERVER, kill_tree=True) as lines:
        with trio.fail_after(20):
            url = await until_up(lines)
        seen = {"/": trio.Event(), "/no-such-page": trio.Event()}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(show, lines, seen)
            for path, event in seen.items():
                status = await trio.to_thread.run_sync(get, url + path[1:])
                log.info("%s gave %d", path, status)
                await event.wait()
            nursery.cancel_scope.cancel()
    # Left before its last line: the block has ended it, which is no failure.
    log.info("the server was ended by signal %d", -(lines.process.returncode or 0))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)-5s %(message)s", stream=sys.stdout)
    trio.run(main)
