"""The broker's part in prompts that are read elsewhere; the terminal is a fake."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from tests.conftest import wait_until
from tests.debug.test_broker import Running
from treetap.debug import message


@pytest.fixture
def running(tmp_path):
    made = Running(tmp_path)
    yield made
    made.close()


def standings(running):
    asker = running.client("asker")
    asker.say(message.LIST)
    found = asker.hear(message.STANDINGS)["standings"]
    asker.close()
    return [(one["label"], one["state"], one["by"]) for one in found]


def ids(running):
    asker = running.client("asker")
    asker.say(message.LIST)
    found = asker.hear(message.STANDINGS)["standings"]
    asker.close()
    return {one["label"]: one["id"] for one in found}


def answer(running, label, by="ann"):
    answerer = running.client(by)
    answerer.say(message.ANSWER, id=ids(running).get(label, 99), label=by)
    return answerer


def distant(running, label):
    return running.client(label).request(is_distant=True, term="vt100")


def test_who_cannot_have_the_terminal_is_given_a_console_on_it(running):
    party = distant(running, "a")
    assert party.hear(message.ANSWERED)
    ((channel, _control, term),) = running.consoles
    assert term == "vt100"
    assert running.custody.done == ["recover", "take"]
    assert standings(running) == [("a", "holding", "")]
    with party.channel() as ours:
        ours.sendall(b"ask")
        assert channel.recv(10) == b"ask"
        channel.sendall(b"line")
        assert ours.recv(10) == b"line"


def test_who_is_given_a_console_is_told_who_waits(running):
    running.client("a").request().hear(message.GRANTED)
    second, third = distant(running, "b"), running.client("c")
    second.hear(message.PLACED)
    third.request().hear(message.PLACED)
    running.broker._lock.holder.connection.shutdown(socket.SHUT_RDWR)
    assert second.hear(message.ANSWERED)["waiting"] == ["c"]


def test_the_terminal_is_given_back_when_the_console_has_left_it(running):
    party = distant(running, "a")
    party.hear(message.ANSWERED)
    next_one = running.client("b").request()
    next_one.hear(message.PLACED)
    party.say(message.RELEASE)
    assert standings(running)[1] == ("b", "waiting", "")
    for end in running.consoles[0][:2]:
        end.close()
    assert party.hear(message.RELEASED)
    assert next_one.hear(message.GRANTED)


@pytest.mark.parametrize("notices_first", ["broker", "party"])
def test_a_console_that_dies_leaves_its_party_to_ask_again(running, notices_first):
    party = distant(running, "a")
    party.hear(message.ANSWERED)
    if notices_first == "party":
        party.request(is_distant=True)
        assert len(standings(running)) == 1  # it has been heard
    for end in running.consoles.pop()[:2]:
        end.close()
    if notices_first == "broker":
        wait_until(lambda: running.custody.done[-1] == "give back")
        party.request(is_distant=True)
    assert party.hear(message.ANSWERED)
    assert len(running.consoles) == 1


def test_a_party_that_dies_leaves_the_terminal_to_its_console_first(running):
    party = distant(running, "a")
    party.hear(message.ANSWERED)
    party.close()
    next_one = running.client("b").request()
    next_one.hear(message.PLACED)
    for end in running.consoles[0][:2]:
        end.close()
    assert next_one.hear(message.GRANTED)


def test_a_distant_one_waits_until_its_job_has_the_terminal(running):
    running.custody.is_in_background = True
    party = distant(running, "a")
    assert party.hear(message.PLACED)["holder"] == "another job on this terminal"
    assert standings(running) == [("a", "waiting", "")]
    running.custody.is_in_background = False
    assert party.hear(message.ANSWERED)


def test_a_console_whose_job_is_suspended_gives_the_terminal_back_until_it_goes_on(running):
    job = subprocess.Popen(["sleep", "60"], process_group=0)
    try:
        party = distant(running, "a")
        party.hear(message.ANSWERED)
        running.custody.former = running.custody.former._replace(group=job.pid)
        control = running.consoles[0][1]
        control.settimeout(10)
        running.custody.is_in_background = True  # as soon as the shell has noticed
        control.sendall(message.encode(message.SUSPEND))
        wait_until(lambda: os.waitpid(job.pid, os.WUNTRACED | os.WNOHANG)[0], 10)
        wait_until(lambda: running.custody.done[-1] == "give back")
        running.custody.is_in_background = False
        os.kill(job.pid, 18)
        assert message.RESUME.encode() in control.recv(1000)
        assert len(running.consoles) == 1
    finally:
        job.kill()
        job.wait()


def test_where_there_is_no_terminal_a_distant_one_is_told_and_can_be_answered(running):
    running.custody.is_no_more = True
    party = distant(running, "a")
    assert party.hear(message.STRANDED)
    answerer = answer(running, "a")
    assert answerer.hear(message.ANSWERING)["label"] == "a"
    assert party.hear(message.ANSWERED)
    assert standings(running) == [("a", "holding", "ann")]
    with party.channel() as ours, answerer.channel() as theirs:
        ours.sendall(b"ask")
        assert theirs.recv(10) == b"ask"


def test_a_waiter_that_is_answered_leaves_the_queue_to_the_others(running):
    first = running.client("a").request()
    first.hear(message.GRANTED)
    second, third = running.client("b").request(), running.client("c")
    second.hear(message.PLACED)
    assert third.request().hear(message.PLACED)["place"] == 2
    answerer = answer(running, "b")
    assert answerer.hear(message.ANSWERING)
    assert third.hear(message.PLACED)["place"] == 1
    assert [state for _, state, _ in standings(running)] == ["holding", "holding", "waiting"]
    second.say(message.RELEASE)
    assert second.hear(message.RELEASED)
    assert [label for label, _, _ in standings(running)] == ["a", "c"]


def test_one_prompt_has_one_answerer_and_the_second_is_told_who_it_is(running):
    running.client("a").request().hear(message.GRANTED)
    running.client("b").request().hear(message.PLACED)
    assert answer(running, "b", by="ann").hear(message.ANSWERING)
    refused = answer(running, "b", by="bob").hear(message.REFUSED, message.ANSWERING)
    assert (refused["is"], refused["why"], refused["by"]) == (message.REFUSED, "taken", "ann")
    refused = answer(running, "a", by="bob").hear(message.REFUSED, message.ANSWERING)
    assert (refused["is"], refused["why"], refused["by"]) == (message.REFUSED, "taken", "")
    refused = answer(running, "nobody").hear(message.REFUSED, message.ANSWERING)
    assert (refused["is"], refused["why"]) == (message.REFUSED, "gone")


def test_who_leaves_gives_it_back_and_it_waits_again(running):
    running.client("a").request().hear(message.GRANTED)
    party = running.client("b").request()
    party.hear(message.PLACED)
    answerer = answer(running, "b")
    answerer.hear(message.ANSWERING)
    answerer.close()
    assert party.hear(message.ANSWERED)
    with party.channel() as ours:
        assert ours.recv(10) == b""
    assert party.request().hear(message.PLACED)["place"] == 1
    assert answer(running, "b", by="bob").hear(message.ANSWERING)


def test_who_answers_a_process_that_has_stopped_itself_wakes_it(running):
    """Its job is in the background: it waits for a ``fg`` that nobody may ever type."""
    running.custody.is_in_background = True
    waiter = subprocess.Popen(["sleep", "60"])
    try:
        party = running.client("a").request()
        party.hear(message.BACKGROUND)
        (broken,) = (one for one in running.broker._parties if one.label == "a")
        broken.pid = waiter.pid
        os.kill(waiter.pid, 19)
        os.waitpid(waiter.pid, os.WUNTRACED)
        assert answer(running, "a").hear(message.ANSWERING)
        wait_until(lambda: os.waitpid(waiter.pid, os.WCONTINUED | os.WNOHANG)[0], 10)
        assert party.hear(message.ANSWERED)
    finally:
        waiter.kill()
        waiter.wait()


def test_a_terminal_that_another_tree_has_holds_up_nobody_who_answers(running):
    running.custody.is_another_trees = True
    party = running.client("a").request()
    assert party.hear(message.PLACED)
    assert answer(running, "a").hear(message.ANSWERING)
    assert party.hear(message.ANSWERED)
