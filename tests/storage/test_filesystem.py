import sys
from pathlib import Path

import pytest

from workbench.errors import StorageError
from workbench.storage import Storage, filesystem


def mounted(monkeypatch: pytest.MonkeyPatch, *mounts: tuple[str, str]) -> None:
    monkeypatch.setattr(filesystem, "mounts", lambda: list(mounts))


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "lustre"])
def test_network_file_systems_are_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    mounted(monkeypatch, ("/", "ext4"), (str(tmp_path), kind))
    with pytest.raises(StorageError) as caught:
        Storage.open(tmp_path / "project")
    assert kind in caught.value.message
    assert caught.value.hint is not None and "local disk" in caught.value.hint
    assert not (tmp_path / "project").exists()


def test_local_file_systems_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounted(monkeypatch, ("/", "ext4"), ("/elsewhere", "nfs4"))
    Storage.open(tmp_path / "project").close()


def test_the_innermost_and_latest_mount_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(
        monkeypatch, ("/", "ext4"), ("/data", "nfs"), ("/data", "xfs"), ("/data/far", "nfs"), ("/dat", "cifs")
    )
    assert filesystem.filesystem_type(Path("/data/project")) == "xfs"
    assert filesystem.filesystem_type(Path("/data/far/project")) == "nfs"
    assert filesystem.filesystem_type(Path("/database")) == "ext4"


def test_mountinfo_lines_are_understood() -> None:
    line = r"36 35 98:0 /root /mnt/my\040disk rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
    assert filesystem._parse_mountinfo(line) == ("/mnt/my disk", "ext3")
    assert filesystem._parse_mountinfo("nonsense") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_has_a_root_file_system() -> None:
    assert filesystem.filesystem_type(Path("/")) is not None


def test_native_windows_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(filesystem.sys, "platform", "win32")
    with pytest.raises(StorageError, match="native Windows") as caught:
        Storage.open(tmp_path)
    assert caught.value.hint is not None and "WSL2" in caught.value.hint
