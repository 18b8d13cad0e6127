"""Names on the Hugging Face hub: models as ORG/NAME[@REVISION], data sets as hf:[ORG/]NAME[/CONFIG][@REVISION]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from albertkit.errors import UsageError

HUGGING_FACE = "hf:"
"""How a data set in the layout of the datasets library begins: `hf:` and a name on the hub, or a folder."""

_PART = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
_NAME = re.compile(rf"({_PART}/{_PART})(?:@(\w[\w./-]{{0,199}}))?", re.ASCII)
# What the datasets library forbids in the name of a config; "@" begins the revision.
_CONFIG = r'[^/\\@<>:|?*"\s.][^/\\@<>:|?*"]*'
_DATASET = re.compile(rf"({_PART}(?:/{_PART})?)(?:/({_CONFIG}))?(?:@(\w[\w./-]{{0,199}}))?")


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


@dataclass(frozen=True)
class HubDataset:
    """A data set on the hub: a repository at a revision, and which of its configs."""

    repository: str
    """ORG/NAME, or NAME of the oldest data sets."""
    config: str | None
    """Name of the config; None for the only or default one."""
    revision: str
    """A branch, a tag or a commit."""

    def __str__(self) -> str:
        config = "" if self.config is None else f"/{self.config}"
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"{HUGGING_FACE}{self.repository}{config}{revision}"

    @property
    def folder(self) -> Path:
        """Where it is, below the folder of all data sets of the hub."""
        config = ("default",) if self.config is None else ("configs", self.config)
        return Path(self.repository.replace("/", "--"), self.revision.replace("/", "--"), *config)


def hub_dataset(name: str) -> HubDataset | None:
    """Return what a name that begins with hf: means on the hub, or None where it is a folder on this machine.

    A folder begins with `.`, `/` or `~`. One slash parts ORG and NAME; a config needs the ORG before it.

    >>> hub_dataset("hf:org/name/config@v1.0")
    HubDataset(repository='org/name', config='config', revision='v1.0')
    >>> hub_dataset("hf:org/name"), hub_dataset("hf:./folder")
    (HubDataset(repository='org/name', config=None, revision='main'), None)

    Args:
        name: what the user gave.

    Raises:
        UsageError: it cannot be a name, or may be a folder as well.
    """
    said = name.removeprefix(HUGGING_FACE)
    if said.startswith((".", "/", "~")) or Path(said).is_absolute():
        return None
    found = _DATASET.fullmatch(said)
    repository, config, revision = found.groups() if found else ("", None, None)
    if found is None or "--" in repository or ".." in repository or (config and "/" not in repository):
        raise UsageError(
            f'"{name}" is neither hf:NAME, hf:ORG/NAME or hf:ORG/NAME/CONFIG on the hub (@REVISION may follow), nor '
            "hf: and a folder that begins with ./ or /"
        )
    if revision is None and Path(said.partition("/")[0]).is_dir():
        raise UsageError(
            f'"{name}" may be a folder on this machine or a name on the hub; write hf:./{said} for the folder, or '
            f"{name}@main for the hub"
        )
    return HubDataset(repository, config, revision or "main")
