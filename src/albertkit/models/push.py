"""Send a model folder to the Hugging Face hub: first what would go, then, after consent, one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.errors import AlbertkitError, MissingExtraError, UsageError
from albertkit.hub.consent import is_offline
from albertkit.hub.download import hub_address
from albertkit.hub.hub_names import hub_name
from albertkit.hub.known_models import MODEL_FILES
from albertkit.hub.web import check_address
from albertkit.models.card import CARD, card_text
from albertkit.models.model_files import model_source
from albertkit.models.pretrained import load_model


class UploadError(AlbertkitError):
    """A model that cannot be sent to the hub."""


@dataclass(frozen=True)
class Upload:
    """What would go to the hub, or went there."""

    repository: str
    """ORG/NAME."""
    url: str
    """Where it can be seen."""
    private: bool
    """Whether only its owners see a repository that is made now."""
    contents: Mapping[str, bytes | Path]
    """Name on the hub -> the file, or its content."""
    left_out: tuple[str, ...]
    """Other files of the folder, which are not part of a model."""

    @property
    def sizes(self) -> dict[str, int]:
        """Name -> bytes."""
        return {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.contents.items()
        }


def prepare_upload(name: str, repository: str, *, private: bool = False) -> Upload:
    """Return what would go to the hub; nothing is sent.

    The model is loaded once, so that no damaged folder goes. A folder without a model card gets one.

    Args:
        name: a MODEL whose files are a Hugging Face folder with safetensors, such as a run directory.
        repository: ORG/NAME.
        private: whether only its owners see a repository that is made now.

    Raises:
        UsageError: a repository that cannot be, or a model in another format.
        CheckpointError: the folder does not hold a whole model.
        DownloadError: the hub's address is not https.
    """
    found = hub_name(repository)
    if found is None or "@" in repository:
        raise UsageError(f'"{repository}" is not ORG/NAME of a repository on the hub, such as my-team/film-reviews')
    source = model_source(name)
    if not (source / "config.json").is_file() or not (source / "model.safetensors").is_file():
        raise UsageError(
            f"{source}: only Hugging Face folders with model.safetensors go to the hub; make one with "
            f"`albertkit convert {name} FOLDER --to huggingface`"
        )
    check_address(hub_address(), http_allowed=True)
    model = load_model(name)
    contents: dict[str, bytes | Path] = {each: source / each for each in MODEL_FILES if (source / each).is_file()}
    if CARD not in contents:
        contents[CARD] = card_text(model, Path(found.repository), None).encode()
    others = (path.relative_to(source).as_posix() for path in sorted(source.rglob("*")) if path.is_file())
    left_out = tuple(other for other in others if other not in contents)
    return Upload(repository, f"{hub_address()}/{repository}", private, contents, left_out)


def upload(prepared: Upload, *, message: str = "Upload model with albertkit") -> str:
    """Send all files as one commit, to a repository that is made where there is none; return the commit's address.

    The token is the one that huggingface_hub keeps (`hf auth login`), or HF_TOKEN. It goes to the hub's address only.

    Args:
        prepared: from `prepare_upload`.
        message: of the commit.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        UploadError: offline, without a token, or the hub refuses or cannot be reached.
    """
    if is_offline():
        raise UploadError(f"{prepared.repository} was not sent: ALBERTKIT_OFFLINE or HF_HUB_OFFLINE forbids it")
    try:
        from huggingface_hub import CommitOperationAdd, HfApi, get_token
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", extra="hub", purpose="push") from error
    token = get_token()
    if not token:
        raise UploadError(
            f"{prepared.repository} was not sent: there is no token for {hub_address()}; run `hf auth login`, or set "
            "HF_TOKEN to a token that may write"
        )
    api: Any = HfApi(endpoint=hub_address(), token=token, library_name="albertkit")
    disable_progress_bars()
    operations = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=content if isinstance(content, bytes) else str(content))
        for name, content in prepared.contents.items()
    ]
    try:
        api.create_repo(prepared.repository, private=prepared.private, exist_ok=True)
        commit = api.create_commit(prepared.repository, operations, commit_message=message)
    except Exception as error:  # of the hub's library, its http client, or the system
        said = "; ".join(
            next((line.strip(" .") for line in str(each).splitlines() if line.strip()), type(each).__name__)
            for each in (error, error.__cause__)
            if each is not None
        )
        raise UploadError(
            f"{prepared.repository} was not sent to {hub_address()}: {said.replace(token, '***')[:300]}; check the "
            "name, the network, and that your token may write there"
        ) from error
    return str(commit.commit_url)
