"""Names of models on the Hugging Face hub: ORG/NAME[@REVISION]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PART = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
_NAME = re.compile(rf"({_PART}/{_PART})(?:@(\w[\w./-]{{0,199}}))?", re.ASCII)


@dataclass(frozen=True)
class HubName:
    """A repository at a revision."""

    repository: str
    """ORG/NAME."""
    revision: str
    """A branch, a tag or a commit."""

    @property
    def folder(self) -> Path:
        """Where its files are, below the folder of all models."""
        return Path(self.repository.replace("/", "--"), self.revision.replace("/", "--"))


def hub_name(name: str) -> HubName | None:
    """Return what a name means on the hub, or None where it cannot be one.

    A path in `runs`, where run directories are, or in another folder that is on this machine is no name: a mistyped
    run directory must not lead to a download.

    >>> hub_name("org/model@v1.0")
    HubName(repository='org/model', revision='v1.0')
    >>> hub_name("org/model").revision, hub_name("albert-nano"), hub_name("a/b/c"), hub_name("../model")
    ('main', None, None, None)
    """
    found = _NAME.fullmatch(name)
    if found is None or "--" in found[1] or ".." in name:
        return None
    folder = name.partition("/")[0]
    if folder == "runs" or Path(folder).is_dir():
        return None
    return HubName(found[1], found[2] or "main")
