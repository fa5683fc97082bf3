"""What keeps web pages out: the ``Host`` and ``Origin`` of a request.

A page of any site may send requests to loopback. Its browser tells where the page is from
(``Origin``), and under which name it reached us (``Host``); with DNS rebinding the page's own name
leads to us, and then only ``Host`` gives it away.
"""

from __future__ import annotations

from treetap.link.address import is_loopback


def is_host_allowed(host_header: str, configured: tuple[str, ...] = ()) -> bool:
    """Whether the name by which the caller reached us is loopback's or a configured one.

    Args:
        host_header: The ``Host`` header, with or without a port; ``""`` if there is none.
        configured: Host names or addresses under which we are known.
    """
    host = host_name(host_header)
    return bool(host) and (
        is_loopback(host) or host in [name.lower() for name in configured if name]
    )


def is_origin_allowed(origin: str, own_origins: tuple[str, ...] = ()) -> bool:
    """Whether a request of this ``Origin`` is no web page's, or one of our own pages'.

    Args:
        origin: The header; ``""`` if there is none, as from everything but browsers.
        own_origins: ``scheme://host:port`` of pages that we serve ourselves.
    """
    return not origin or origin.lower() in [own.lower() for own in own_origins]


def host_name(host_header: str) -> str:
    """A ``Host`` header without its port and brackets, lower-cased; ``""`` if malformed."""
    host = host_header.strip().lower()
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return ""
        return address
    name, colon, port = host.partition(":")
    if colon and not _is_port(colon + port):
        return ""
    return name


def _is_port(text: str) -> bool:
    return text[0] == ":" and (text == ":" or (text[1:].isascii() and text[1:].isdigit()))
