"""Typing at the prompt: completion, history, colours; and that readline stays the program's."""

from __future__ import annotations

import pytest

from tests.scenario.pty_shell import Shells


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    yield made
    made.close()


def test_tab_completes_commands_names_and_attributes(shells):
    program = shells.run(
        """
        class Order:
            total_price = 40
            total_tax = 2
            @property
            def fails(self):
                raise SystemExit
        order_of_ann = Order()
        breakpoint()
        print("went on")
        """
    )
    program.prompt()
    program.type("unt\t")
    program.expect("until")
    program.type("\x15p ord\t.total_p\t + 2\n")
    program.expect("\n42\n")
    program.prompt()
    program.type("order_of_ann.tot\t\t")
    program.expect("total_price +total_tax\n")
    program.type("\x15!x = order_of_ann.fails.\t + le\tn([])\n")  # whatever a property does
    program.prompt()
    program.type("break pro\t:9\n")
    program.prompt()
    program.line("interact")
    program.expect(">>> ")
    program.type("order_of_ann.total_t\t * 21\n")
    program.expect("\n42\n>>> ")
    program.type("\x04")
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()


def test_the_next_process_has_the_history_of_the_tree(shells):
    program = shells.run(
        """
        import os
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        mine = "parent" if pid else "child"
        breakpoint()
        print(mine, "on", flush=True)
        """
    )
    program.prompt()
    program.line("p mine * 2")
    program.expect("childchild")
    program.prompt()
    program.line("c")
    program.prompt()
    program.type("\x1b[A\x1b[A\n")
    program.expect("parentparent")
    program.prompt()
    program.type("\x12mine\x05 == 'parentparent'\n")
    program.expect("\nTrue\n")
    program.prompt()
    program.line("c")
    program.end()


@pytest.mark.parametrize("loads", ["", "import readline, rlcompleter"], ids=["without", "with"])
def test_readline_stays_the_programs(shells, loads):
    program = shells.run(
        f"""
        import signal, sys
        {loads}
        if {bool(loads)}:
            def complete(text, state): pass
            readline.set_completer(complete)
            readline.set_completer_delims("x")
            readline.add_history("earlier")
        def state():
            winch = signal.getsignal(signal.SIGWINCH)
            if "readline" not in sys.modules:
                return winch, "pdb" in sys.modules, "rlcompleter" in sys.modules
            length = readline.get_current_history_length()
            return winch, readline.get_completer(), readline.get_completer_delims(), length
        before = state()
        breakpoint()
        print("as before" if state() == before else "changed")
        print(("readline" in sys.modules) == {bool(loads)}, hasattr(sys, "ps1"))
        """
    )
    program.prompt()
    program.type("p bef\t\n")
    program.prompt()
    program.line("interact")
    program.expect(">>> ")
    program.type("bef\t\n\x04")
    program.prompt()
    program.line("c")
    program.expect("as before\nTrue False")
    program.end()


def test_a_dumb_terminal_has_lines_without_an_editor(shells):
    shells.environment["TERM"] = "dumb"
    program = shells.run("mine = 41\nbreakpoint()\nprint('went on')\n")
    program.prompt()
    program.ctrl_c(2)
    program.type("xyz\x15p mine + 1\n")
    program.expect("42")
    program.prompt()
    program.type("half\x1a")
    program.wait_for_stop()
    assert program.modes() == program.modes_before
    program.resume()
    program.prompt()
    program.line("c")
    program.expect("went on")
    program.end()
    assert "\x1b" not in program.log


def test_colours_where_nobody_has_said_no(shells):
    del shells.environment["PYTHON_COLORS"]
    shells.environment.pop("NO_COLOR", None)
    shells.environment["PYTHONPATH"] = str(shells.folder)
    shells.program("another_one = True\n", "pdbp.py")  # isn't as we know it
    source = "breakpoint()\nprint('went on')\n"
    program = shells.run(source)
    program.expect(r"\x1b\[1;36mtreetap: program \(\d+\)\x1b\[0m\n")
    program.expect(r"> .*\x1b\[0m\n-> \x1b\[1mbreakpoint\(\)\x1b\[0m\n")
    program.prompt()
    program.line("l")
    program.expect(r"\x1b\[1m *1 *->\tbreakpoint\(\)\x1b\[0m\n +2 +\tprint")
    program.prompt()
    program.line("c")
    program.end()
    shells.environment["NO_COLOR"] = "1"
    program = shells.run(source)
    program.prompt()
    program.line("l")
    program.prompt()
    program.line("c")
    program.end()
    assert "\x1b" not in program.log


def test_pdbp_is_the_prompt_where_it_is_installed_and_changes_nothing_in_the_program(shells):
    del shells.environment["PYTHON_COLORS"]
    shells.environment.pop("NO_COLOR", None)
    shells.environment["HOME"] = str(shells.folder)
    program = shells.run(
        """
        import signal, sys
        def price(n, c=7):
            breakpoint()
            total = n * 6
            return total
        def state():
            names = ("pdb", "pdbp", "readline", "rlcompleter", "tabcompleter")
            return [name in sys.modules for name in names], signal.getsignal(signal.SIGINT)
        before = state()
        print(price(7), state() == before)
        1 / 0
        """,
        "--on-crash",
    )
    program.expect(r"\(Pdb\+\) ")
    program.ctrl_c(2)
    program.line("n")
    program.expect("total")
    program.prompt()
    program.line("ll")
    program.expect(r"\x1b\[.*def")
    program.prompt()
    program.line("price??")
    program.expect("Source")
    program.prompt()
    program.type("p tot\x7f\x7f\x7fpri\t\n")
    program.expect("<function price")
    program.prompt()
    program.line("debug price(5)")
    program.expect(r"\(\(Pdb\+\)\) ")
    program.line("n")
    program.prompt()
    program.line("p n + 100")
    program.expect("105")
    program.prompt()
    program.line("c")
    program.expect("LEAVING")
    program.prompt()
    program.line("c")  # not the local of that name
    program.expect("42 True\n")
    program.expect("post-mortem of ZeroDivisionError")
    program.prompt()
    program.line("c")
    program.end(1)


def test_debug_steps_through_a_statement_within_the_prompt(shells):
    program = shells.run(
        """
        import time
        def wait():
            print("waits", flush=True)
            time.sleep(60)
        breakpoint()
        print("went on")
        """
    )
    program.prompt()
    program.line("debug wait()")
    program.expect(r"\(\(Pdb\)\) ")
    program.line("n")
    program.expect("waits\n")
    program.settle()
    program.type("\x03")
    program.expect(r"wait\(\)\n-> time.sleep")
    program.expect(r"\(\(Pdb\)\) ")
    program.line("q")
    program.expect("LEAVING")
    program.prompt()
    program.ctrl_c()
    program.line("c")
    program.expect("went on")
    program.end()


def test_detach_goes_on_past_every_breakpoint_of_the_process(shells):
    program = shells.run(
        """
        import os
        for turn in range(3):
            breakpoint()
            print("turn", turn)
        if os.fork():
            os.wait()
        breakpoint()
        print("over")
        """
    )
    program.prompt()
    program.line("b 5")
    program.prompt()
    program.line("detach")
    program.expect("turn 0\nturn 1\nturn 2\n")
    program.expect("treetap: ")  # the child's, which pauses as before
    program.prompt()
    program.line("c")
    program.expect("over\n")
    program.expect("over\n")
    program.end()
    assert program.log.count("(Pdb)") == 3
