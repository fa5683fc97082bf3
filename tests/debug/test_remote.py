from __future__ import annotations

import socket
import threading
from concurrent.futures import Future

import pytest

from tests.conftest import wait_until
from treetap.debug import message
from treetap.debug.remote import Remote
from treetap.debug.terminal import HungUp

TIMEOUT_S = 20


class Console:
    """The other end, by hand."""

    def __init__(self):
        ours, self.channel = socket.socketpair()
        self.channel.settimeout(TIMEOUT_S)
        self.presses = threading.Semaphore(0)
        self.remote = Remote(ours, self.presses.release)
        self.lines = message.Lines()
        self.heard = []

    def hear(self):
        while not self.heard:
            self.heard.extend(self.lines.feed(self.channel.recv(65536)))
        return self.heard.pop(0)

    def say(self, kind, **content):
        self.channel.sendall(message.encode(kind, **content))

    def asked(self, complete=lambda *_: []):
        """The answer of a question that waits."""
        answer = Future()

        def ask():
            try:
                answer.set_result(self.remote.ask("> ", complete, is_inner=False))
            except BaseException as exc:
                answer.set_exception(exc)

        threading.Thread(target=ask, daemon=True).start()
        assert self.hear() == {"is": message.ASK, "prompt": "> ", "is_inner": False}
        return answer


@pytest.fixture
def console():
    made = Console()
    yield made
    made.remote.close()
    made.channel.close()


def test_a_question_is_answered_by_a_line(console):
    answer = console.asked()
    console.say(message.LINE, text="p x\n")
    assert answer.result(TIMEOUT_S) == "p x\n"
    answer = console.asked()
    console.say(message.LINE, text="")
    assert answer.result(TIMEOUT_S) == ""


def test_ctrl_c_drops_the_line(console):
    answer = console.asked()
    console.say(message.LINE, text=None)
    assert isinstance(answer.exception(TIMEOUT_S), KeyboardInterrupt)


def test_ctrl_c_between_two_questions_is_heard_at_once(console):
    console.say(message.INTERRUPT)
    assert console.presses.acquire(timeout=TIMEOUT_S)
    answer = console.asked()
    console.say(message.LINE, text="c\n")
    assert answer.result(TIMEOUT_S) == "c\n"


def test_tab_asks_the_thread_that_asks(console):
    asked = []

    def complete(*arguments):
        asked.append((threading.current_thread(), *arguments))
        return ["price", "print"]

    answer = console.asked(complete)
    console.say(message.COMPLETE, line="p pr", begin=2, end=4)
    assert console.hear() == {"is": message.COMPLETIONS, "found": ["price", "print"]}
    assert asked[0][1:] == ("p pr", 2, 4)
    assert asked[0][0] is not threading.current_thread()
    console.say(message.LINE, text="\n")
    answer.result(TIMEOUT_S)


@pytest.mark.parametrize("text", ["\U0001f600", "\x01", "\ud83d", '"', "\u2028"])
def test_a_message_holds_the_longest_text_whatever_is_in_it(console, text):
    text *= message.MAX_TEXT_CHARS
    encoded = message.encode(message.TEXT, text=text)
    assert len(encoded) < message.MAX_LINE_BYTES
    assert list(message.Lines().feed(encoded)) == [{"is": message.TEXT, "text": text}]
    answer = console.asked(lambda *_: [text[: message.MAX_TEXT_CHARS // 2]] * 2)
    console.say(message.COMPLETE, line="", begin=0, end=0)
    assert len(console.hear()["found"]) == 1
    console.say(message.LINE, text=text)
    assert answer.result(TIMEOUT_S) == text


def test_more_completions_than_a_message_holds_are_cut(console):
    answer = console.asked(lambda *_: ["é" * 100] * 10_000)
    console.say(message.COMPLETE, line="", begin=0, end=0)
    assert 10 < len(console.hear()["found"]) < 1000
    console.say(message.LINE, text="\n")
    answer.result(TIMEOUT_S)


def test_a_long_text_comes_whole(console):
    text = "é\n" * 100_000
    writing = threading.Thread(target=console.remote.write, args=(text,))
    writing.start()
    received = ""
    while len(received) < len(text):
        received += console.hear()["text"]
    writing.join(TIMEOUT_S)
    assert received == text


def test_a_console_that_goes_away_is_noticed_in_a_question_and_between(console):
    answer = console.asked()
    console.channel.close()
    assert isinstance(answer.exception(TIMEOUT_S), HungUp)
    wait_until(lambda: console.remote.is_over)
    console.remote.write("to nobody")
    with pytest.raises(HungUp):
        console.remote.ask("> ", lambda *_: [], is_inner=False)


def test_a_console_that_talks_nonsense_is_gone(console):
    answer = console.asked()
    console.channel.sendall(b"nonsense\n")
    assert isinstance(answer.exception(TIMEOUT_S), HungUp)
