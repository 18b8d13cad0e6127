"""One request over the web: https only, each redirect looked at, and faults sorted into lasting and passing ones."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urljoin, urlsplit

from albertkit.hub.consent import DownloadError

TIMEOUT = 30.0
"""Seconds without a sign of the server."""
MAX_REDIRECTS = 5
NO_HEAD = (405, 501)
"""Status of servers that know no HEAD."""

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)


class NotThereError(DownloadError):
    """The server has no such file."""


class RefusedError(DownloadError):
    """The server gives it only to users that it knows; the hub also says so of names that do not exist."""


class PassingError(Exception):
    """What another attempt may mend; never leaves `transfer.py`."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Disables automatic redirects, because the caller checks each address first."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@contextmanager
def opened(url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Send a request and follow redirects; a HEAD stops where the hub has said what it knows of the file.

    No credentials are ever sent, so none can leak to another host.

    Raises:
        NotThereError: 404.
        DownloadError: refused, not known, or not https.
        PassingError: busy, broken or cut.
        HTTPError: only 416, which the caller handles.
    """
    address = url
    for _ in range(MAX_REDIRECTS + 1):
        # Only what began on this machine may lead to it: a server elsewhere has no business here.
        loopback = check_address(address, http_allowed=address == url or _on_this_machine(url))
        own = {"User-Agent": "albertkit", "Accept-Encoding": "identity", **(headers or {})}
        # A proxy of the network knows nothing of this machine's own servers.
        opener = urllib.request.build_opener(_Stay, *([urllib.request.ProxyHandler({})] if loopback else []))
        try:
            answer: Any = opener.open(urllib.request.Request(address, method=method, headers=own), timeout=TIMEOUT)
        except urllib.error.HTTPError as refusal:
            location = refusal.headers.get("Location")
            redirected = location is not None and refusal.code in _REDIRECTS
            if not redirected and not (method == "HEAD" and refusal.code in NO_HEAD):
                refusal.close()
                _refuse(url, refusal)
            if redirected and not (method == "HEAD" and "X-Linked-Etag" in refusal.headers):
                refusal.close()
                try:
                    address = urljoin(address, location)
                except ValueError as error:
                    _lost(str(location), error)
                continue
            answer = refusal
        except (OSError, http.client.HTTPException, ValueError) as error:
            _lost(address, error)
        with answer:
            yield answer
        return
    raise DownloadError(f"{url}: goes through more than {MAX_REDIRECTS} redirects; try another source")


def check_address(url: str, *, http_allowed: bool) -> bool:
    """Refuse what is not https; tell whether the address is on this machine, where http may do.

    Raises:
        DownloadError: another address.
    """
    loopback = _on_this_machine(url)
    if not (url.lower().startswith("https://") or (url.startswith("http://") and loopback and http_allowed)):
        raise DownloadError(f"{url}: only https addresses are used; correct the address of the mirror")
    return loopback


def _on_this_machine(url: str) -> bool:
    with suppress(ValueError):
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def _refuse(url: str, refusal: urllib.error.HTTPError) -> None:
    code = refusal.code
    if code == 416:
        raise refusal
    if code in (404, 410):
        raise NotThereError(f"{url}: the server has no such file ({code}); try another source")
    if code in (401, 403):
        raise RefusedError(f"{url}: the server refuses to give it ({code}); try another source, or fetch it by hand")
    if code in _PASSING:
        raise PassingError(f"the server is busy or broken ({code})")
    raise DownloadError(f"{url}: the server answers {code}; try another source, or fetch it by hand")


def _lost(url: str, error: Exception) -> None:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        raise DownloadError(f"{url}: the server's certificate is not valid ({reason.verify_message})") from error
    if isinstance(reason, socket.gaierror):
        raise DownloadError(f"{url}: unknown host; is this machine on the network?") from error
    if isinstance(error, ValueError):
        raise DownloadError(f"{url}: not a valid address ({error})") from error
    if isinstance(reason, TimeoutError):
        raise PassingError(f"no answer in {TIMEOUT:g} s") from error
    raise PassingError(f"no connection ({str(reason) or type(reason).__name__})") from error
