"""Prefork servers: two workers at their prompts, one after another; and the masters' own time limits."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.scenario.pty_shell import TIMEOUT_S
from tests.scenario.trees import Requests, answer_each, free_port, run_command, wait_for
from tests.scenario.trees import shells as shells  # a fixture
from treetap.debug.standing import trees_with_prompts

PROGRAMS = Path(sys.executable).parent

WSGI = """
    import os

    def application(environ, start_response):
        mine = int(environ["PATH_INFO"][1:])
        breakpoint()
        start_response("200 OK", [])
        return [b"from %d" % os.getpid()]
"""
ASGI = """
    import os

    async def application(scope, receive, send):
        assert scope["type"] == "http"
        mine = int(scope["path"][1:])
        breakpoint()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from %d" % os.getpid()})
"""


class Server:
    """A server of two workers, on a port of its own."""

    def __init__(self, shells, source, command, *, is_ready):
        self._home = str(shells.home)
        port = free_port()
        self.requests = Requests(port)
        shells.program(source, "shop.py")
        words = [word.format(port=port, folder=shells.folder) for word in command]
        self.shell = shells.plainly(*run_command(*words))
        for _ in range(2):
            self.shell.expect(is_ready)

    def pause(self, count):
        """Have that many requests pause at once: a worker that is at the prompt takes no other."""
        for number in range(1, count + 1):
            self.requests.send(number)
            wait_until(lambda paused=number: len(self.paused()) == paused, TIMEOUT_S)

    def paused(self):
        return [one for each in trees_with_prompts(home=self._home).values() for one in each]

    def workers_that_answered(self):
        return {re.fullmatch(r"from (\d+)", answer)[1] for answer in self.requests.end()}


def gunicorn(shells, *options, source=WSGI, is_ready="Booting worker"):
    words = [PROGRAMS / "gunicorn", "--chdir={folder}", "--bind=127.0.0.1:{port}", "--workers=2"]
    # Its control socket is in the user's home.
    words += ["--no-control-socket", "--graceful-timeout=1", *options, "shop:application"]
    return Server(shells, source, [str(word) for word in words], is_ready=is_ready)


def uvicorn(shells, *options):
    words = [PROGRAMS / "uvicorn", "--app-dir={folder}", "--port={port}", "--workers=2"]
    # A machine under load starts a worker in more than 5 s.
    words += ["--timeout-worker-healthcheck=60", "--no-use-colors", *options, "shop:application"]
    return Server(shells, ASGI, [str(word) for word in words], is_ready="startup complete")


SERVERS = {
    "gunicorn": (lambda shells: gunicorn(shells, "--timeout=0"), "gunicorn (N), depth N"),
    "gunicorn with threads": (
        lambda shells: gunicorn(shells, "--timeout=60", "--threads=2"),
        "gunicorn (N), depth N, thread ThreadPoolExecutor-N_N",
    ),
    "uvicorn": (uvicorn, "SpawnProcess-N (N), depth N, task Task-N"),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_two_workers_of_a_server(shells, kind):
    start, header = SERVERS[kind]
    server = start(shells)
    server.pause(2)
    assert answer_each(server.shell) == [header, header]
    answered = server.workers_that_answered()
    assert len(answered) == 2 or "thread" in kind
    server.shell.type("\x03")
    server.shell.expect("Shutting down: Master|Stopping parent process")
    server.shell.end()


@pytest.mark.parametrize("start", [gunicorn, uvicorn])
def test_a_server_in_the_background_is_stopped_as_a_job_is(shells, start):
    """Not by SIGTTIN: to its master that says that it is to start one worker more."""
    server = start(shells)
    server.shell.type("\x1a")
    server.shell.wait_for_stop()
    server.shell.resume_in_background()
    server.requests.send(1)
    server.shell.wait_for_stop()
    server.shell.resume()
    server.shell.prompt()
    server.shell.ctrl_c()
    server.shell.line("c")
    assert server.workers_that_answered()
    server.shell.type("\x03")
    server.shell.end()
    assert not re.search("signal: ttin|SIGTTIN", server.shell.log)


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_gunicorn_is_told_that_who_is_at_the_prompt_lives(shells, kind):
    """So its timeout, which is for who doesn't say so, doesn't meet them."""
    source, workers = (ASGI, ["--worker-class=asgi"]) if kind == "asgi" else (WSGI, [])
    server = gunicorn(shells, "--timeout=60", *workers, source=source)
    server.pause(2)
    for _ in range(2):
        server.shell.prompt()
        server.shell.line("import gc, time; from gunicorn.workers.base import Worker")
        server.shell.prompt()
        server.shell.line("tmp = [o for o in gc.get_objects() if isinstance(o, Worker)][-1].tmp")
        server.shell.prompt()
        server.shell.line(
            "exec('told = tmp.last_update()\\nwhile told == tmp.last_update(): time.sleep(0.01)')"
        )
        server.shell.prompt()
        server.shell.line("c")
    assert len(server.workers_that_answered()) == 2
    server.shell.type("\x03")
    server.shell.end()


def test_what_gunicorn_does_at_its_timeout_frees_the_terminal_for_the_next(shells):
    server = gunicorn(shells, "--timeout=60")
    server.pause(2)
    first = int(server.shell.expect(r"treetap: gunicorn \((\d+)\)")[1])
    server.shell.prompt()
    os.kill(first, signal.SIGABRT)
    server.shell.expect(rf"treetap: gunicorn \((?!{first})")
    server.shell.prompt()
    server.shell.ctrl_c()
    server.shell.line("c")
    server.requests.end()
    assert "from" in "".join(server.requests.answers)
    server.shell.type("\x03")
    server.shell.end()


def test_a_daemon_is_answered_from_a_terminal(shells):
    shells.environment["TREETAP_PAUSE_TIMEOUT_S"] = "60"
    record, log = shells.folder / "pid", shells.folder / "log"
    server = gunicorn(
        shells, "--daemon", f"--pid={record}", f"--error-logfile={log}", "--timeout=0", is_ready=""
    )
    server.shell.end()  # it is in a session of its own, without a terminal
    wait_until(lambda: log.is_file() and log.read_text().count("Booting worker") == 2, TIMEOUT_S)
    server.pause(2)
    for left in (1, 0):
        answering = shells.command("answer")
        answering.prompt()
        answering.ctrl_c()
        answering.line("c")
        answering.end()
        wait_until(lambda left=left: len(server.paused()) == left, TIMEOUT_S)
    assert server.workers_that_answered()
    os.kill(int(record.read_text()), signal.SIGTERM)
    wait_until(lambda: not record.exists(), TIMEOUT_S)


CELERY = """
    import os
    from celery import Celery
    from celery.exceptions import SoftTimeLimitExceeded
    from celery.signals import worker_ready

    app = Celery("tasks", broker="memory://", backend="cache+memory://")
    app.conf.worker_hijack_root_logger = False

    @app.task
    def work(n):
        mine = n * n
        try:
            breakpoint()
        except SoftTimeLimitExceeded:
            os.write(2, b"worker is told of its limit\\n")
        os.write(2, b"worker goes on\\n")
        return mine

    @worker_ready.connect
    def send(**_):
        for n in (1, 2):
            work.delay(n)
"""


def celery(shells, *options):
    shells.program(CELERY, "tasks.py")
    # As root it warns.
    words = ["-W", "ignore", "-m", "celery", "-A", "tasks", f"--workdir={shells.folder}", "--quiet"]
    words += ["worker", "--concurrency=2", "--pool=prefork", "--loglevel=INFO", *options]
    return shells.plainly(*run_command(sys.executable, *words))


def test_two_workers_of_celery_of_which_one_comes_to_its_soft_limit(shells):
    program = celery(shells)
    first = int(program.expect(r"treetap: ForkPoolWorker-\d \((\d+)\), depth 1")[1])
    program.prompt()
    program.ctrl_c(2)
    os.kill(first, signal.SIGUSR1)  # as its master does then
    program.expect(rf"treetap: ForkPoolWorker-\d \((?!{first})")
    program.prompt()
    program.ctrl_c(2)
    program.line("c")
    wait_for(program, r"Task tasks.work\[\S+\] succeeded", 2)
    assert program.log.count("worker is told of its limit") == 1
    assert "the prompt failed" not in program.log
    program.type("\x03")
    program.expect("Warm shutdown")
    os.kill(program.pid, signal.SIGKILL)  # by itself it takes 6 s to end, with or without us
    program.end(-signal.SIGKILL)
