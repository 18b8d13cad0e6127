"""Hosts: the names under which a server may be asked for, against web pages that reach it by DNS rebinding.

A page of evil.example can have its own name lead to 127.0.0.1, and its reader's browser then takes a server there for
the page's own. The browser still sends the name: `Host: evil.example`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

_LOCAL = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens there.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def allowed_hosts(host: str, *, given: Sequence[str] = (), has_keys: bool) -> tuple[str, ...]:
    """Return the names that requests may use; empty for any.

    Any name is allowed where none was given and a key is wanted, which a foreign page does not know, or where the
    server listens on more than the loopback address, whose names it cannot know.

    >>> allowed_hosts("127.0.0.1", has_keys=False)
    ('localhost', '127.0.0.1', '::1')
    >>> allowed_hosts("0.0.0.0", has_keys=False), allowed_hosts("0.0.0.0", given=["Api.Example"], has_keys=True)
    ((), ('localhost', '127.0.0.1', '::1', '0.0.0.0', 'api.example'))

    Args:
        host: the address that the server listens on.
        given: further names.
        has_keys: whether clients must show a key.
    """
    if not given and (has_keys or not is_loopback(host)):
        return ()
    return tuple(dict.fromkeys([*_LOCAL, *map(host_name, [host, *given])]))


def host_name(header: str) -> str:
    """Return the name in a Host header: without port, brackets and a dot at its end, in lower case.

    >>> host_name("LocalHost.:8000"), host_name("[::1]:8000"), host_name("::1")
    ('localhost', '::1', '::1')
    """
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    if name.count(":") == 1:
        name = name.partition(":")[0]
    return name.removesuffix(".")
