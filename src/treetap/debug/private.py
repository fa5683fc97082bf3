"""The debugger that the prompt is made of, loaded beside the program's own modules.

``pdb`` sets readline's delimiters when it is made, and from 3.13 on its completer when it is imported;
``pdbp`` puts itself in pdb's place. In somebody's program that is not ours to change: so both are
loaded as copies of their own, which nobody else can import, and for which there is no readline.
"""

from __future__ import annotations

import builtins
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


class Private:
    """Modules by name that are loaded once, for whoever imports them from within one another."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._loaded: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def load(self, name: str) -> ModuleType:
        """A copy of the module.

        Raises:
            ImportError: It isn't installed.
        """
        if name in self._loaded:
            return self._loaded[name]
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            raise ImportError(f"there is no {name}", name=name)
        module = importlib.util.module_from_spec(spec)
        vars(module)["__builtins__"] = self._builtins
        self._loaded[name] = module
        spec.loader.exec_module(module)
        return module

    def _import(self, name: str, *arguments: Any) -> Any:
        if name == "readline":
            raise ImportError("the prompt leaves readline to the program", name=name)
        if name in self._names:
            return self.load(name)
        return builtins.__import__(name, *arguments)
