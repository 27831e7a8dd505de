"""Which SQLite journal a directory can have: WAL needs shared memory, which network file systems lack."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

NETWORK_TYPES = frozenset((
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "davfs", "9p", "afs", "openafs",
    "ncpfs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "pvfs2", "orangefs", "ocfs2", "gfs2", "moosefs",
    "panfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.davfs",
    "fuse.goofys", "fuse.mfs", "macfuse", "virtiofs", "prl_fs", "vboxsf",
))  # fmt: skip


def journal_mode(directory: Path) -> str:
    """`wal` on a local disk, `delete` where the directory lies on a network or shared file system."""
    return "delete" if on_network(directory) else "wal"


def on_network(directory: Path) -> bool:
    """Whether a directory lies on a network file system; False where the system does not tell."""
    path = directory.resolve()
    if sys.platform == "win32":
        # 4 is DRIVE_REMOTE; a UNC path has no drive letter and is remote by its nature.
        root = path.anchor
        return root.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(root) == 4
    mounts = Path("/proc/self/mountinfo")
    if mounts.exists():
        return type_of(str(path), linux_mounts(os.fsdecode(mounts.read_bytes()))) in NETWORK_TYPES
    try:
        output = subprocess.run(["/sbin/mount"], capture_output=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return type_of(str(path), bsd_mounts(os.fsdecode(output))) in NETWORK_TYPES


_OCTAL = re.compile(rb"\\([0-7]{3})")


def linux_mounts(text: str) -> dict[str, str]:
    """Mount points and file system types out of Linux' mountinfo; of several on one point, the last.

    The kernel writes a blank, a tab, a line end and a backslash of a name in octal (proc_pid_mountinfo(5)), and every
    other byte as it is.
    """
    mounts: dict[str, str] = {}
    for line in os.fsencode(text).split(b"\n"):
        before, _, after = line.partition(b" - ")
        fields, kind = before.split(b" "), after.split(b" ")[0]
        if len(fields) > 4 and kind:
            point = _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), fields[4])
            mounts[os.fsdecode(point)] = os.fsdecode(kind)
    return mounts


def bsd_mounts(text: str) -> dict[str, str]:
    """The same out of what `mount` prints on macOS: `device on /point (type, option, ...)`."""
    mounts: dict[str, str] = {}
    for line in text.split("\n"):
        _, _, rest = line.partition(" on ")
        point, _, options = rest.rpartition(" (")
        if point and options:
            mounts[point] = options.rstrip(")").split(",")[0].strip()
    return mounts


def type_of(path: str, mounts: dict[str, str]) -> str:
    """Type of the file system that holds a path: that of the longest mount point above it."""
    best, kind = "", ""
    for point, name in mounts.items():
        below = path == point or point == "/" or path.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(best):
            best, kind = point, name
    return kind
