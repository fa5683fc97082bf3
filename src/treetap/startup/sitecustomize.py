"""Makes every Python process of a tapped tree a node, as it starts.

This directory is on ``PYTHONPATH`` within a tree, so that ``site`` imports this file. It must never
raise, print, or change what the program finds: treetap is loaded from where this file lies, without
a trace on ``sys.path``; then the ``sitecustomize`` that would have been found without us is run in
our place, and if there is none, ours isn't there either.
"""


def _tap():  # noqa: ANN202 - any Python may read this file, even one without annotations
    import os
    import sys

    if not os.environ.get("TREETAP_TREE") or sys.version_info < (3, 11):
        return
    if sys.implementation.name != "cpython" or "treetap.node.birth" in sys.modules:
        return
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if "treetap" not in sys.modules:
        # The treetap of the tree, whatever this environment has installed.
        # importlib.util would cost the process 4 ms.
        from _frozen_importlib import module_from_spec
        from _frozen_importlib_external import PathFinder

        spec = PathFinder.find_spec("treetap", [os.path.dirname(package)])
        module = module_from_spec(spec)
        sys.modules["treetap"] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules["treetap"]
            raise
    import gc

    # Nothing that is made here is garbage, and looking for it takes a tenth of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        from treetap.finder import install as find_ours_in

        find_ours_in(package)
        from treetap.node.birth import begin

        begin()
    finally:
        if was_enabled:
            # Nor is it looked through as if it were new, at the program's first occasion: it counts
            # as old, as what lives for long does. (The collector's lists are joined, nothing is visited.)
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
    if os.environ.get("TREETAP_ON_CRASH"):
        from treetap.debug.crash_hooks import install

        install()


def _step_aside():  # noqa: ANN202 - as above
    """Hand over to the next ``sitecustomize`` on the path; raises what it raises."""
    import os
    import sys

    if sys.version_info < (3, 5):  # noqa: UP036 - any Python of the tree comes by here
        raise ImportError("No module named sitecustomize")
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    ours = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != ours]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        # What `site` expects where there is none.
        raise ModuleNotFoundError("No module named 'sitecustomize'", name="sitecustomize")
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _tap()
except Exception:  # noqa: BLE001 - a process must start as if we weren't there
    pass
_step_aside()
