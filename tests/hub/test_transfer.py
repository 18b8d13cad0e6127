"""Files from a server that misbehaves: what arrives is whole and proven, or a sentence says what to do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.local_server import Served, Server, serving
from tests.tiny import files_limited_to

from albertkit.hub import transfer, web
from albertkit.hub.consent import DownloadError
from albertkit.hub.transfer import download_file
from albertkit.hub.web import NotThereError
from albertkit.io.files import WriteError
from albertkit.io.progress import Silent

CONTENT = bytes(range(256)) * 9001  # 2.3 MB: several parts, no round number


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSES", (0.01, 0.01, 0.01))


def get(server: Server, target: Path, path: str = "/f", **wanted: object) -> bytes:
    record = download_file(server.url + path, target, progress=Silent(), **wanted)  # type: ignore[arg-type]
    content = target.read_bytes()
    assert (record.size, record.sha256) == (len(content), sha(content))
    assert [path.name for path in target.parent.iterdir() if ".part" in path.name] == []
    return content


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_arrives(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT)}) as server:
        assert get(server, tmp_path / "f", size=len(CONTENT), sha256=sha(CONTENT)) == CONTENT
        assert get(server, tmp_path / "g") == CONTENT


def test_redirects_are_followed_across_hosts_but_not_for_ever(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT)}) as store:
        away = Served(status=302, headers={"Location": f"{store.url}/f"})
        round_ = Served(status=307, headers={"Location": "/round"})
        with serving({"/f": away, "/round": round_}) as server:
            assert get(server, tmp_path / "f") == CONTENT
            with pytest.raises(DownloadError, match="more than 5 redirects"):
                get(server, tmp_path / "g", "/round")


@pytest.mark.parametrize(
    "address", ["http://example.org/f", "ftp://127.0.0.1/f", "file:///etc/hostname", "/f", "http://["]
)
def test_only_https_or_this_machine(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="only https addresses"):
        download_file(address, tmp_path / "f", progress=Silent())
    with (
        serving({"/f": Served(status=302, headers={"Location": address})}) as server,
        pytest.raises(DownloadError, match=r"only https addresses|redirects|not a valid address"),
    ):
        get(server, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_a_server_elsewhere_may_not_lead_to_this_machine() -> None:
    with pytest.raises(DownloadError, match="only https"):
        web.check_address("http://127.0.0.1/f", http_allowed=False)


def test_a_cut_line_is_taken_up_where_it_broke(tmp_path: Path) -> None:
    served = Served(CONTENT, cuts=[1_000_000, 500_000])
    with serving({"/f": served}) as server:
        assert get(server, tmp_path / "f", size=len(CONTENT), sha256=sha(CONTENT)) == CONTENT
    assert server.gets() == [("/f", ""), ("/f", "bytes=1000000-"), ("/f", "bytes=1500000-")]


def test_the_same_call_goes_on_later(tmp_path: Path) -> None:
    served = Served(CONTENT, cuts=[700_000, 0, 0, 0])
    with serving({"/f": served}) as server:
        with pytest.raises(
            DownloadError, match=r"/f: the connection broke .*; the same command continues where it stopped"
        ):
            get(server, tmp_path / "f")
        assert (tmp_path / "f.part").stat().st_size == 700_000
        assert not (tmp_path / "f").exists()
        assert get(server, tmp_path / "f") == CONTENT
        assert server.gets()[-1] == ("/f", "bytes=700000-")


def test_a_file_that_changed_meanwhile_begins_again(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT, cuts=[700_000, 0, 0, 0])}) as server:
        with pytest.raises(DownloadError):
            get(server, tmp_path / "f")
        other = CONTENT[::-1]
        server.paths["/f"] = Served(other)
        assert get(server, tmp_path / "f") == other


def test_servers_without_ranges_or_tags(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT, cuts=[700_000], ranges=False)}) as server:
        assert get(server, tmp_path / "f") == CONTENT
    with serving({"/f": Served(CONTENT, cuts=[700_000], tag=None)}) as server:
        assert get(server, tmp_path / "f") == CONTENT
        assert server.gets() == [("/f", ""), ("/f", "")]  # nothing says that it is the same file
    with serving({"/f": Served(CONTENT, cuts=[700_000], tag=None)}) as server:
        assert get(server, tmp_path / "g", sha256=sha(CONTENT)) == CONTENT
        assert server.gets()[-1] == ("/f", "bytes=700000-")  # the hash will say


def test_a_part_that_is_too_long_or_complete(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT)}) as server:
        (tmp_path / "f.part").write_bytes(CONTENT + b"x")
        (tmp_path / "f.part.etag").write_text('"of another"')
        assert get(server, tmp_path / "f") == CONTENT
        (tmp_path / "g.part").write_bytes(CONTENT)
        count = len(server.requests)
        assert get(server, tmp_path / "g", size=len(CONTENT), sha256=sha(CONTENT)) == CONTENT
        assert len(server.requests) == count
        (tmp_path / "h.part").write_bytes(CONTENT + b"x")
        assert get(server, tmp_path / "h", sha256=sha(CONTENT)) == CONTENT  # 416, then from the beginning


def test_a_wrong_file_is_deleted(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT)}) as server:
        wrong = sha(b"another")
        with pytest.raises(DownloadError, match=rf"has the SHA-256 {sha(CONTENT)} where {wrong} is expected.*deleted"):
            get(server, tmp_path / "f", size=len(CONTENT), sha256=wrong)
        with pytest.raises(DownloadError, match="SHA-1"):
            get(server, tmp_path / "f", sha1="0" * 40)
        with pytest.raises(DownloadError, match=rf"a file of {len(CONTENT)} bytes where 99 are expected"):
            get(server, tmp_path / "f", size=99)
        server.paths["/f"] = Served(CONTENT, length=len(CONTENT) + 5, tag=None)
        with pytest.raises(DownloadError, match="the connection broke"):
            get(server, tmp_path / "g")
    assert [path.name for path in tmp_path.iterdir()] == ["g.part"]


def test_faults_of_the_server(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT, failures=[503, 429]), "/no": Served(status=403)}) as server:
        assert get(server, tmp_path / "f") == CONTENT
        with pytest.raises(NotThereError, match=r"no such file \(404\)"):
            get(server, tmp_path / "g", "/g")
        with pytest.raises(DownloadError, match=r"refuses to give it \(403\)"):
            get(server, tmp_path / "g", "/no")
        server.paths["/f"] = Served(failures=[500] * 4)
        with pytest.raises(DownloadError, match=r"busy or broken \(500\); the same command continues"):
            get(server, tmp_path / "g")
    with pytest.raises(DownloadError, match="no connection"):
        get(server, tmp_path / "g")
    assert not (tmp_path / "g").exists()


def test_a_slow_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/f": Served(CONTENT, delay=0.3)}) as server:
        assert get(server, tmp_path / "f") == CONTENT
        monkeypatch.setattr(web, "TIMEOUT", 0.05)
        with pytest.raises(DownloadError, match=r"no answer in 0.05 s"):
            get(server, tmp_path / "g")


def test_a_full_disk_is_one_sentence_and_keeps_what_came(tmp_path: Path) -> None:
    with serving({"/f": Served(CONTENT)}) as server:
        with (
            files_limited_to(1_000_000),
            pytest.raises(WriteError, match=r"f.part: cannot be written .*what has arrived"),
        ):
            get(server, tmp_path / "f")
        assert 0 < (tmp_path / "f.part").stat().st_size <= 1_000_000
        assert get(server, tmp_path / "f") == CONTENT
        with pytest.raises(WriteError, match="more than the disk has free"):
            get(server, tmp_path / "g", size=2**60)
