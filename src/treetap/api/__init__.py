"""The daemon's HTTP API, ``/api/v2``: thin routes over ``treetap.daemon``."""

from treetap.api.application import make_application

__all__ = ["make_application"]
