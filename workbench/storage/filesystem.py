"""Where a project may live, and how bytes get onto its disk for good."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from workbench.errors import StorageError

NETWORK_TYPES = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "drvfs",
        "fuse.ceph",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.goofys",
        "fuse.mount-s3",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "webdav",
    }
)


def require_local(path: Path) -> None:
    """Refuse native Windows and network file systems, where locks and shared memory cannot be relied on.

    Raises
    ------
    StorageError
        With what to do instead.
    """
    if sys.platform == "win32":
        raise StorageError(
            "the workbench does not run on native Windows",
            hint="use it inside WSL2 (Windows Subsystem for Linux)",
        )
    kind = filesystem_type(path)
    if kind is not None and kind.lower() in NETWORK_TYPES:
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where file locks and shared memory cannot be relied on",
            hint="put the project on a local disk, for example under /var/tmp or a local home directory, "
            "and copy exports to the network share",
        )


def filesystem_type(path: Path) -> str | None:
    """Return the type of the file system that holds ``path`` (or its nearest existing parent), None if unknown."""
    real = str(path.resolve())
    best: tuple[int, str] | None = None
    for mount_point, kind in mounts():
        inside = real == mount_point or real.startswith(mount_point.rstrip("/") + "/")
        # Later mounts hide earlier ones on the same point, hence >=.
        if inside and (best is None or len(mount_point) >= best[0]):
            best = (len(mount_point), kind)
    return best[1] if best else None


def mounts() -> list[tuple[str, str]]:
    """Return (mount point, file system type) of everything mounted, in mount order."""
    if sys.platform == "darwin":
        return _mounts_of_mount_command()
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return []
    return [parsed for line in lines if (parsed := _parse_mountinfo(line)) is not None]


def _parse_mountinfo(line: str) -> tuple[str, str] | None:
    before, separator, after = line.partition(" - ")
    fields = before.split(" ")
    if not separator or len(fields) < 5:
        return None
    mount_point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return mount_point, after.split(" ")[0]


def _mounts_of_mount_command() -> list[tuple[str, str]]:
    try:
        output = subprocess.run(
            ["/sbin/mount"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [(found[1], found[2]) for found in re.finditer(r"^.* on (.*) \(([^,)]+)", output, re.MULTILINE)]


def sync_file(path: Path) -> None:
    """Force the content of a file to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Force the entries of a directory (new names, renames) to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
