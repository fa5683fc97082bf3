"""Children of a tapped tree, however they are started, with the real engine and the real daemon.

The parent is started as ``treetap run`` starts it: by an environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import wait_until
from tests.node.test_with_daemon import RealDaemon
from treetap.node import identity, launch
from treetap.node.registry import live_nodes

#: A module of the program; the probe is on line 4.
WORK = """\
import os

def work(number):
    total = number * 10
    return os.getpid(), total

def put(number, answers):
    answers.put(work(number))
"""

PARENTS = {
    "fork": """
        found = []
        for number in range(3):
            heard, told = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.write(told, json.dumps(work.work(number)).encode())
                sys.exit(0)
            os.waitpid(pid, 0)
            found.append(json.loads(os.read(heard, 1000)))
    """,
    "subprocess": """
        code = "import json, work; print(json.dumps(work.work(5)))"
        shell = f"{sys.executable} -c '{code}'"
        found = [
            json.loads(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout),
            json.loads(subprocess.run(["/bin/sh", "-c", f"{shell}; true"], stdout=subprocess.PIPE, check=True).stdout),
        ]
    """,
    "process": """
        context = multiprocessing.get_context(method)
        answers = context.Queue()
        children = [context.Process(target=work.put, args=(number, answers)) for number in range(2)]
        for child in children:
            child.start()
        found = [answers.get(timeout=30) for _ in children]
        for child in children:
            child.join()
            assert child.exitcode == 0
    """,
    "executor": """
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            found = list(pool.map(work.work, range(8)))
    """,
}


def program(kind: str) -> str:
    return (
        "import concurrent.futures, json, multiprocessing, os, subprocess, sys\n"
        "import work\n"
        "if __name__ == '__main__':\n"
        "    method = sys.argv[1]\n"
        + textwrap.indent(textwrap.dedent(PARENTS[kind]), "    ")
        + "\n    found.append(work.work(77))\n    print(json.dumps(found))\n"
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home")
    path.chmod(0o700)
    return path


@pytest.fixture(scope="module")
def real(home):
    """One for all tests: each has a probe of its own."""
    daemon = RealDaemon(home)
    yield daemon.start()
    daemon.close()


@pytest.fixture
def run(home, real, tmp_path):
    """Runs a program as ``treetap run`` does, in a tree that is awake from the start."""
    (tmp_path / "work.py").write_text(WORK)
    added = []

    def run(kind, method):
        (tmp_path / "program.py").write_text(program(kind))
        base = {k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "DETRIX_"))}
        tree = identity.own_id()  # the daemon forgets trees whose root is dead
        environ = launch.environment(
            {**base, "TREETAP_DAEMON_URL": real.url}, home=str(home), tree=tree
        )
        probe = real.client.add_probe(
            location="work.py:4", expressions=["number"], target={"tree": tree}
        )
        added.append(probe["id"])
        real.client.set_tree(tree, awake=True)
        done = subprocess.run(
            [sys.executable, "-W", "error", "program.py", method],
            env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return probe["id"], [tuple(each) for each in json.loads(done.stdout)]

    yield run
    for probe_id in added:
        real.client.remove_probe(probe_id)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kind", "method"),
    [("fork", "fork"), ("subprocess", "-")]
    + [(kind, method) for kind in ("process", "executor") for method in ("fork", "spawn", "forkserver")],
)  # fmt: skip
def test_values_of_children_arrive_under_their_own_pids(run, real, home, kind, method):
    probe_id, expected = run(kind, method)

    def arrived():
        hits = [(hit["pid"], hit["values"]["number"] * 10) for hit in real.hits(probe_id)]
        return sorted(hits) if len(hits) >= len(expected) else None

    assert wait_until(arrived) == sorted(expected)
    assert len({pid for pid, _total in expected}) > 1
    wait_until(lambda: live_nodes(str(home)) == [])
    assert {hit["tree"] for hit in real.hits(probe_id)} == {identity.own_id()}
