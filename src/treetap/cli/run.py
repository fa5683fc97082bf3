"""``treetap run``: any program as the root of a tapped tree.

This process becomes the program (``exec``), so its pid, its terminal, its signals and its exit
code are the program's own: there is nobody between it and its parent who could get them wrong.
With ``--relay`` there is: ``run_relay``, which starts this module once more as its child.

What this module needs before the ``exec`` is what the user waits for, so it does without typer;
``run_command`` has the signature, and the help.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from treetap.cli import exitcode, session, spec
from treetap.errors import TreetapError

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.config.settings import Settings


class Asked(NamedTuple):
    """A command line of ``treetap run``, read."""

    command: list[str]
    name: str = ""
    awake: bool = False
    probes: tuple[str, ...] = ()
    relay: bool = False
    on_crash: bool = False


def read(arguments: list[str]) -> Asked | None:
    """Read a plain command line; ``None`` if it takes typer to read it, or to refuse it."""
    words = gather_probes(arguments)
    name, flags, probes = "", set(), []
    while words and words[0].startswith("-"):
        option, equals, value = words.pop(0).partition("=")
        if option == "--" and not equals:
            break
        if option in ("--awake", "--relay", "--on-crash") and not equals:
            flags.add(option)
            continue
        if option not in ("--name", "--probe") or not (equals or words):
            return None
        value = value if equals else words.pop(0)
        if option == "--name":
            name = value
        else:
            probes.append(value)
    if not words:
        return None
    is_awake, is_relayed = "--awake" in flags, "--relay" in flags
    return Asked(words, name, is_awake, tuple(probes), is_relayed, "--on-crash" in flags)


def gather_probes(arguments: list[str]) -> list[str]:
    """Join ``--probe LOCATION EXPR EXPR`` before ``--`` into one value."""
    if "--" not in arguments:
        return list(arguments)
    end = arguments.index("--")
    gathered: list[str] = []
    words = iter(range(end))
    for index in words:
        gathered.append(arguments[index])
        if arguments[index] != "--probe" or index + 1 >= end:
            continue
        parts = [arguments[next(words)]]
        if not spec.is_whole_probe(parts[0]):
            # As long as there are words, and none is an option.
            for word in arguments[index + 2 : end]:
                if word.startswith("-"):
                    break
                parts.append(word)
                next(words)
        gathered.append(spec.SEPARATOR.join(parts))
    return gathered + arguments[end:]


def launch(asked: Asked) -> int:
    """Become the command; the exit code if that can't be.

    Raises:
        TreetapError: A setting, a probe or the daemon prevents it.
    """
    if asked.relay:
        from treetap.cli.run_relay import relay

        return relay(asked)
    settings = session.settings()
    probes = [spec.split_probe(text) for text in asked.probes]
    environment = tree_environment(settings, asked.name)
    if asked.on_crash:
        environment["TREETAP_ON_CRASH"] = "1"
    else:
        environment.pop("TREETAP_ON_CRASH", None)
    if asked.awake or probes:
        code = in_a_child(lambda: register(settings, environment["TREETAP_TREE"], probes))
        if code != exitcode.OK:
            return code
    return become(asked.command, environment)


def in_a_child(act: Callable[[], None]) -> int:
    """Do ``act`` in a forked child; return its exit code.

    A daemon that it starts must not be a child of the program: that may wait for *any* child.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = exitcode.FAILURE
    try:
        act()
        code = exitcode.OK
    except TreetapError as exc:
        sys.stderr.write(f"treetap: {exc.line}\n")
        code = exitcode.of(exc)
    except KeyboardInterrupt:
        code = exitcode.INTERRUPTED
    except BaseException:  # noqa: BLE001 - a child that goes on would be a second command
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def tree_environment(settings: Settings, name: str) -> dict[str, str]:
    """The environment of a new tree whose root is this very process, and stays it over the exec."""
    from treetap.node.identity import process_start_ns
    from treetap.node.launch import environment

    pid = os.getpid()
    tree = f"{pid}-{process_start_ns(pid):x}"
    return environment(os.environ, home=settings.home, tree=tree, name=name, debug=True)


def register(settings: Settings, tree: str, probes: list[tuple[str, list[str]]]) -> None:
    """Tell a daemon of the tree's probes, and that it is awake, before it exists."""
    client = session.started_daemon(settings)
    added: list[str] = []
    try:
        for location, expressions in probes:
            asked = {"location": location, "expressions": expressions, "target": {"tree": tree}}
            added.append(client.add_probe(**asked)["id"])
        client.set_tree(tree, awake=True)
    except TreetapError:
        for probe in added:  # they are for a tree that won't be
            client.remove_probe(probe)
        raise
    finally:
        client.close()


def become(command: list[str], environment: dict[str, str]) -> int:
    """Replace this process by ``command``; the exit code if that can't be."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these; the program would inherit that, and `… | head` would never end it.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - what run is for
    except (FileNotFoundError, NotADirectoryError):
        sys.stderr.write(
            f"treetap run: {command[0]}: command not found. Check its name and PATH.\n"
        )
        return exitcode.NOT_FOUND
    except OSError as exc:
        sys.stderr.write(f"treetap run: {command[0]}: can't be executed: {exc.strerror}.\n")
        return exitcode.NOT_EXECUTABLE
