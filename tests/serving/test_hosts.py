"""Names under which a server answers."""

from __future__ import annotations

import pytest

from albertkit.serving.hosts import allowed_hosts, host_name, is_loopback

LOCAL = ("localhost", "127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("host", "given", "has_keys", "expected"),
    [
        ("127.0.0.1", [], False, LOCAL),
        ("localhost", [], False, LOCAL),
        ("::1", [], False, LOCAL),
        ("127.0.0.2", [], False, (*LOCAL, "127.0.0.2")),
        ("127.0.0.1", [], True, ()),
        ("0.0.0.0", [], False, ()),
        ("::", [], True, ()),
        ("192.168.1.5", ["api.example"], False, (*LOCAL, "192.168.1.5", "api.example")),
        ("127.0.0.1", ["api.example:443", "[fe80::1]"], True, (*LOCAL, "api.example", "fe80::1")),
    ],
)
def test_allowed_hosts(host: str, given: list[str], has_keys: bool, expected: tuple[str, ...]) -> None:
    assert allowed_hosts(host, given=given, has_keys=has_keys) == expected


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("a.b:80", "a.b"),
        (" A.B. ", "a.b"),
        ("[::1]:80", "::1"),
        ("fe80::1", "fe80::1"),
        ("", ""),
        ("[", ""),
        (":80", ""),
    ],
)
def test_names(header: str, name: str) -> None:
    assert host_name(header) == name


def test_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "example.com", ""]))
