"""What goes into a Python program that debugpy observes, as text: see ``agent``.

``TEXTS`` are executed one after the other in one namespace, over there; so these modules import nothing
of treetap's when they run, and one that needs a name of another finds it there.
"""

from pathlib import Path

from treetap.expression import redaction

_HERE = Path(__file__).parent

#: The sources, in their order, each with the name that its frames have in a traceback.
TEXTS = tuple(
    (f"<treetap {path.stem}>", path.read_text(encoding="utf-8"))
    for path in (
        Path(redaction.__file__),
        _HERE / "turn.py",
        _HERE / "plain.py",
        _HERE / "agent.py",
    )
)
