"""Ask for consent before a download: show the content, publisher, licence, size and target folder.

The question is the one that DataDeps.jl puts before a download, as ALBERT.jl does for its weights.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from albertkit.errors import AlbertkitError


class DownloadError(AlbertkitError):
    """A download that was not allowed, did not arrive, or is not what was asked for."""


@dataclass(frozen=True)
class Offer:
    """What would be downloaded."""

    name: str
    """As the user calls it."""
    what: str
    """`model` or `data set`."""
    website: str
    author: str
    licence: str
    size: int | None
    """In bytes, about; None: only the server knows it."""
    url: str
    """Where it comes from."""
    folder: Path
    """Where it goes."""

    @property
    def about(self) -> str:
        """The size in words."""
        return "known once the download begins" if self.size is None else f"about {megabytes(self.size)}"

    def text(self) -> str:
        """Return the lines shown above the question."""
        return (
            f"{self.name} is not on this machine. It can be downloaded:\n  {self.what:9} {self.name}\n  website   "
            f"{self.website}\n  author    {self.author}\n  licence   {self.licence}\n  size      "
            f"{self.about}\n  from      {self.url}\n  to        {self.folder}\n"
        )


Consent = Callable[[Offer], bool]
"""Says whether a download may begin."""


def megabytes(size: int) -> str:
    """Return a size in words.

    >>> megabytes(47_376_696), megabytes(28_999)
    ('47 MB', '0.03 MB')
    """
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{max(size, 10_000) / 1e6:.2f} MB"


def granted(offer: Offer) -> bool:
    """Consent to every download."""
    del offer
    return True


def ask(offer: Offer) -> bool:
    """Ask at the terminal; anything but y or yes is a no.

    Raises:
        DownloadError: there is no terminal to ask at; the sentence holds the command that needs none.
    """
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise DownloadError(
            f"{offer.name} is not on this machine and there is no terminal to ask for consent. To download it, run: "
            f"albertkit download {offer.name} --yes (size: {offer.about}, licence: {offer.licence})"
        )
    sys.stderr.write(f"{offer.text()}Download it now? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def consent_by(*, yes: bool) -> Consent:
    """Return the consent that was given beforehand (`--yes`, ALBERTKIT_YES=1), else one that asks."""
    return granted if yes or is_set("ALBERTKIT_YES") else ask


def is_offline() -> bool:
    """Return whether the user forbids all downloads: ALBERTKIT_OFFLINE=1, or Hugging Face's HF_HUB_OFFLINE=1."""
    return is_set("ALBERTKIT_OFFLINE") or is_set("HF_HUB_OFFLINE")


def is_set(variable: str) -> bool:
    """Return whether an environment variable says yes."""
    return os.environ.get(variable, "").strip().lower() in ("1", "true", "yes", "on")
