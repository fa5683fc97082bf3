"""From a location to the code objects of this process that it means.

Modules are searched by reading their dicts, never by asking their objects for anything: classes,
closures, decorators, properties, tables of functions. What hides better is found among all functions
that the collector knows, and in the frames that run.
"""

from __future__ import annotations

import builtins
import gc
import sys
from _frozen_importlib import ModuleSpec

from treetap.errors import LocationError
from treetap.interpreter import FunctionType, ModuleType
from treetap.model.location import line_of_text, unreadable
from treetap.model.record import Record
from treetap.probe.code import COMPREHENSIONS, code_lines, walk_codes
from treetap.probe.functions import functions_of_module, inherited_function
from treetap.probe.meant import means_file
from treetap.probe.source import read_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import CodeType

    from treetap.model.location import Location
    from treetap.probe.swap import Swapper

#: A process has thousands of functions, in a few hundred files.
FunctionsByFile = dict[str, list[FunctionType]]

#: Stands for a line before the first one: the entry of a function.
ENTRY = 0
#: ``CO_OPTIMIZED``: the code of a function, whose names are slots of its frame.
_OPTIMIZED = 0x1
_NEAREST = 3


class Site(Record):
    """One line of one code object in this process.

    Attributes:
        code: The original code object.
        root: The outermost function's code object that ``code`` is nested in; often itself.
        line: 1-based line, or ``ENTRY``.
        around: The code objects from ``root`` to ``code``, outer first, without ``code``.
        is_function: Whether ``root`` is a function's; a module's or a class's body is not.
    """

    code: CodeType
    root: CodeType
    line: int
    around: tuple[CodeType, ...]
    is_function: bool = True

    def __str__(self) -> str:
        line = self.line or self.code.co_firstlineno
        return f"{self.code.co_filename}:{line} {self.code.co_qualname}"


class Found(Record):
    """What a location means here.

    Attributes:
        sites: Where to arm.
        functions: The functions met on the way.
        is_pending: No module that is imported has it.
        text: The source of the file now; ``None`` where it can't be read.
        bodies: Code of modules that runs right now, and may yet make functions of the sites.
    """

    sites: tuple[Site, ...] = ()
    functions: tuple[FunctionType, ...] = ()
    is_pending: bool = False
    text: str | None = None
    bodies: tuple[CodeType, ...] = ()


def find(
    location: Location,
    swapper: Swapper,
    wanted_names: Iterable[str] = (),
    *,
    modules: Sequence[ModuleType] | None = None,
    every_function: FunctionsByFile | None = None,
) -> Found:
    """Search the process.

    Args:
        location: What to search for.
        swapper: Tells the original of a code object that is a stand-in.
        wanted_names: Names that the probe reads: where several code objects have the line, those
            that know the names are meant.
        modules: Search these instead of all that are imported.
        every_function: From ``all_functions``, to search these too; they are searched anyway
            where the modules alone don't have the location.

    Raises:
        LocationError: It is ambiguous, or holds no code.
    """
    if modules is None:
        # Not isinstance(): it asks an object for its `__class__`, and anything may stand there.
        modules = [m for m in list(sys.modules.values()) if ModuleType in type(m).__mro__]
    if location.qualname:
        return _find_function(location, swapper, modules)
    files, functions = _functions_of_file(location, modules)
    if every_function is None and not files:
        every_function = {} if is_starting() else all_functions()
    for name, those in (every_function or {}).items():
        if means_file(location, name):
            functions += those
    files |= {
        f.__code__.co_filename for f in functions if means_file(location, f.__code__.co_filename)
    }
    running = _running_bodies(location)
    files |= {code.co_filename for code in running}
    if not files:
        return Found(is_pending=True)
    filename = _only(location, files)
    text = read_source(filename, _globals_of(functions))
    line = location.line or _line_of_text(location, filename, text)
    roots = _roots_in(location, functions, running, swapper)
    sites = _sites(roots, line, wanted_names) or _body_sites(running, line)
    if not sites and every_function is None:
        return find(
            location, swapper, wanted_names, modules=modules, every_function=all_functions()
        )
    if not sites:
        raise _no_code(filename, line, [*roots, *running], text)
    return Found(tuple(sites), tuple(functions), text=text, bodies=tuple(running))


def find_in_code(
    location: Location, module_name: str, module_code: CodeType, wanted_names: Iterable[str]
) -> Found:
    """Search the code of a module that has not run yet.

    Raises:
        LocationError: It holds no such code.
    """
    filename = module_code.co_filename
    text = read_source(filename)
    roots = _functions_in(module_code)
    if location.qualname:
        sites = [
            site
            for root in roots
            for site in _all_sites(root)
            if site.code.co_qualname == location.qualname
        ]
        if not sites:
            names = [code.co_qualname for root in roots for code in walk_codes(root)]
            raise _no_function(location, names)
        return Found(tuple(sites), text=text)
    line = location.line or _line_of_text(location, filename, text)
    sites = _sites(roots, line, wanted_names)
    if not sites:
        sites = _body_sites([module_code], line)
    if not sites:
        raise _no_code(filename, line, [module_code], text)
    return Found(tuple(sites), text=text)


def file_of(module: ModuleType) -> str:
    """The source file of a module, or ``""``."""
    name = ModuleType.__getattribute__(module, "__dict__").get("__file__")
    if type(name) is not str:
        return ""
    return name[:-1] if name.endswith(".pyc") else name


def _find_function(location: Location, swapper: Swapper, modules: Sequence[ModuleType]) -> Found:
    # Some are imported by another name than their own: os.path is posixpath.
    imported = sys.modules.get(location.module)
    of_that_name = [
        module for module in modules if module is imported or location.module in _names_of(module)
    ]
    if not of_that_name:
        return Found(is_pending=True)
    functions = [function for module in of_that_name for function in functions_of_module(module)]
    sites = [
        site._replace(line=ENTRY)
        for root in _roots([function.__code__ for function in functions], swapper)
        for site in _all_sites(root)
        if site.code.co_qualname == location.qualname
    ]
    if not sites:
        inherited = [
            function
            for module in of_that_name
            if (function := inherited_function(module, location.qualname)) is not None
        ]
        functions += inherited
        sites = [
            Site(code, code, ENTRY, ())
            for code in (swapper.original(function.__code__) for function in inherited)
        ]
    if not sites:
        names = [code.co_qualname for f in functions for code in walk_codes(f.__code__)]
        raise _no_function(location, names)
    text = read_source(sites[0].code.co_filename, functions[0].__globals__)
    return Found(tuple(sites), tuple(functions), text=text)


def _names_of(module: ModuleType) -> tuple[str, ...]:
    """A module's name. What runs as ``__main__`` goes by its file's name, and by ``-m``'s, as well."""
    namespace = ModuleType.__getattribute__(module, "__dict__")
    name = namespace.get("__name__")
    if name != "__main__":
        return (name,) if type(name) is str else ()
    spec = namespace.get("__spec__")
    asked_for = spec.name if type(spec) is ModuleSpec else ""
    return (
        name,
        asked_for,
        file_of(module).replace("\\", "/").rpartition("/")[2].removesuffix(".py"),
    )


def is_starting() -> bool:
    """Whether the interpreter's own start isn't over: then only modules have made functions."""
    spec = getattr(sys.modules.get("site"), "__spec__", None)
    return getattr(spec, "_initializing", False) is True


def all_functions() -> FunctionsByFile:
    """Every function that the collector knows, by file. Looks at every object of the process."""
    found: FunctionsByFile = {}
    for candidate in gc.get_objects():
        # The interpreter makes a function object for a module's body, too, while that runs.
        if type(candidate) is FunctionType and candidate.__code__.co_flags & _OPTIMIZED:
            found.setdefault(candidate.__code__.co_filename, []).append(candidate)
    return found


def _functions_of_file(
    location: Location, modules: Sequence[ModuleType]
) -> tuple[set[str], list[FunctionType]]:
    """The files of these modules that a location means, and what functions they show."""
    named = [(file_of(module), module) for module in modules]
    files = {name for name, _module in named if name and means_file(location, name)}
    functions = [
        function
        for name, module in named
        if name in files
        for function in functions_of_module(module)
    ]
    return files, functions


def _running_bodies(location: Location) -> list[CodeType]:
    """Module code that runs right now, with all that it has not made yet."""
    found: dict[int, CodeType] = {}
    for innermost in sys._current_frames().values():
        frame = innermost
        while frame is not None:
            code = frame.f_code
            if code.co_name == "<module>" and means_file(location, code.co_filename):
                found[id(code)] = code
            frame = frame.f_back  # type: ignore[assignment]
    return list(found.values())


def _roots_in(
    location: Location,
    functions: Sequence[FunctionType],
    running: Sequence[CodeType],
    swapper: Swapper,
) -> list[CodeType]:
    """The roots of the functions that are meant, and of those that running bodies will make."""
    roots = _roots(
        [
            function.__code__
            for function in functions
            if means_file(location, function.__code__.co_filename)
        ],
        swapper,
    )
    # By identity: two runs of one module have equal code objects, and both are meant.
    known = {id(root) for root in roots}
    # A running body makes functions of what stands in for its constants by now (`Arming._refresh`).
    made = [swapper.original(code) for body in running for code in _functions_in(body)]
    roots += [code for code in made if id(code) not in known]
    return roots


def _roots(codes: Iterable[CodeType], swapper: Swapper) -> list[CodeType]:
    """The originals that are nested in no other one of them."""
    originals = {id(code): code for code in map(swapper.original, codes)}
    nested = {
        id(inner) for code in originals.values() for inner in walk_codes(code) if inner is not code
    }
    return [code for key, code in originals.items() if key not in nested]


def _all_sites(
    root: CodeType, around: tuple[CodeType, ...] = (), *, is_function: bool = True
) -> list[Site]:
    """A site without a line for each code object of a root, outer ones first."""
    code = around[-1] if around else root
    sites = [Site(code, root, ENTRY, around[:-1], is_function)]
    for inner in [value for value in code.co_consts if type(value) is type(code)]:
        sites += _all_sites(root, (*(around or (root,)), inner), is_function=is_function)
    return sites


def _sites(roots: Sequence[CodeType], line: int, wanted_names: Iterable[str]) -> list[Site]:
    found: list[Site] = []
    for root in roots:
        here = [
            site._replace(line=line) for site in _all_sites(root) if line in code_lines(site.code)
        ]
        here = _without_comprehensions(here)
        if not here:
            here = [site for site in _all_sites(root) if _is_entry(site.code, line)][:1]
        found += _that_know(here, frozenset(wanted_names))
    return found


def _functions_in(body: CodeType) -> list[CodeType]:
    """The outermost functions that the body of a module makes, in its classes too."""
    found = []
    for site in _all_sites(body):
        is_outermost = not any(code.co_flags & _OPTIMIZED for code in site.around)
        if site.code.co_flags & _OPTIMIZED and is_outermost:
            found.append(site.code)
    return found


def _body_sites(bodies: Sequence[CodeType], line: int) -> list[Site]:
    """The lines of modules and classes themselves."""
    return [
        site._replace(line=line)
        for body in bodies
        for site in _all_sites(body, is_function=False)
        if not site.code.co_flags & _OPTIMIZED and line in code_lines(site.code)
    ]


def _is_entry(code: CodeType, line: int) -> bool:
    """Whether the line belongs to the function's header: decorators, ``def``, arguments."""
    lines = code_lines(code)
    return bool(lines) and code.co_firstlineno <= line < min(lines) and bool(code.co_flags & 0x1)


def _without_comprehensions(sites: list[Site]) -> list[Site]:
    """On 3.11 a comprehension is a code object of its own; its line is its function's line."""
    others = [site for site in sites if site.code.co_name not in COMPREHENSIONS]
    return others or sites


def _that_know(sites: list[Site], names: frozenset[str]) -> list[Site]:
    """Of a function and the lambdas on its line: the outermost that knows the probe's names."""
    if len(sites) < 2:
        return sites
    for site in sites:
        if all(_knows(site.code, name) for name in names):
            return [site]
    return sites[:1]


def _knows(code: CodeType, name: str) -> bool:
    return (
        name in code.co_varnames
        or name in code.co_freevars
        or name in code.co_cellvars
        or name in code.co_names
        or hasattr(builtins, name)
    )


def _only(location: Location, files: set[str]) -> str:
    if len(files) == 1:
        return next(iter(files))
    listed = "\n".join(sorted(files)[:10])
    raise LocationError(
        f"{location} is ambiguous: {len(files)} files that are loaded match.",
        f"Name more of the path:\n{listed}",
        slug="location-ambiguous",
    )


def _line_of_text(location: Location, filename: str, text: str | None) -> int:
    if text is None:
        raise unreadable(location, filename)
    return line_of_text(location, filename, text)


def _no_code(
    filename: str, line: int, roots: Iterable[CodeType], text: str | None
) -> LocationError:
    lines = sorted(
        {held for root in roots for code in walk_codes(root) for held in code_lines(code)}
    )
    source = text.splitlines() if text is not None else []
    nearest = sorted(sorted(lines, key=lambda held: abs(held - line))[:_NEAREST])
    shown = ", ".join(
        f"{held} ({source[held - 1].strip()[:60]})" if held <= len(source) else str(held)
        for held in nearest
    )
    short = filename.replace("\\", "/").rpartition("/")[2]
    ran = ""
    if (
        0 < line <= len(source)
        and source[line - 1].strip()
        and not source[line - 1].lstrip().startswith("#")
    ):
        ran = "If it is a line of the module itself, it ran when the module was imported.\n"
    return LocationError(
        f"{short}:{line} holds no code that can run again, so a probe there would never fire.",
        f"{ran}Nearest lines that do: {shown}."
        if shown
        else f"{ran}The file has no function that is loaded.",
        slug="location-no-code",
    )


def _no_function(location: Location, qualnames: Iterable[str]) -> LocationError:
    import difflib

    near = difflib.get_close_matches(location.qualname, sorted(set(qualnames)), n=5, cutoff=0.4)
    return LocationError(
        f"{location}: the module has no function of that name.",
        f"Nearest: {', '.join(near)}."
        if near
        else "It may have been made at run time; name its line instead.",
        slug="location-no-function",
    )


def _globals_of(functions: Sequence[FunctionType]) -> dict[str, object]:
    return functions[0].__globals__ if functions else {}
