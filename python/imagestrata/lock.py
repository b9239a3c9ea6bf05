"""One process at a time works in a run folder.

The lock is one that the operating system holds on an open file, ``.lock`` in the
folder. It goes when the process goes, however it ends (kill -9, a power cut), so
that there is no stale lock to be found and removed by hand. A lock that is a mere
file would stay behind, and its owner's number may long be another process's.

The package filelock takes it: by ``flock`` on Linux and macOS, which NFS (since Linux 2.6.12)
and SMB carry to the server, so that it counts between machines too; by ``LockFileEx`` on
Windows. We use its lock on an open file and not its class ``FileLock``, which cannot mark
that a process came to an end of its own (see :func:`_let_go`), and which before version 4
puts a mere file in place of a lock that a file system lacks, or reports another process.
Here, where a file system has no locks (some cluster file systems are mounted so), work
goes on without one, and a warning says so.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path

from filelock import lock_descriptor

from .errors import ImagestrataError, warn
from .files import remove_half_written, write_error
from .wording import quote

NAME = ".lock"

#: Where what the file says begins: Windows locks the first byte, which no one else can read then.
_START = 1

#: There are no locks on this file system.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class FolderLock:
    """A lock on a run folder, held until this object is gone.

    Use :func:`lock_folder` to get one.

    Parameters
    ----------
    folder : Path
        An existing folder that can be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        try:
            # Not through a link, which a folder from somebody else may hold.
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR):
                raise ImagestrataError(
                    f"{quote(path)} must be a plain file; it is a link or a folder.",
                    "Remove it: it holds nothing that is needed.",
                ) from None
            raise write_error(path, error) from None
        try:
            if not lock_descriptor(file, blocking=False):
                said = _said(file)
                os.close(file)
                raise _in_use(folder, said)
        except OSError as error:
            os.close(file)
            if error.errno not in _NO_LOCKS:
                raise write_error(path, error) from None
            warn(
                f"The file system of {quote(folder)} has no locks: see to it that no other "
                "process works in that folder."
            )
            return
        if os.fstat(file).st_size:
            remove_half_written(folder)
        self._release = weakref.finalize(self, _let_go, file)
        _say(file)


_held: weakref.WeakValueDictionary[str, FolderLock] = weakref.WeakValueDictionary()
_taking = threading.Lock()


def lock_folder(folder: Path) -> FolderLock:
    """The lock on a folder, new or one that this process holds already.

    Steps of one process may work in a folder one within the other.

    Raises
    ------
    ImagestrataError
        If another process holds it: which one, and since when.
    """
    key = os.path.realpath(folder)
    with _taking:
        lock = _held.get(key)
        if lock is None:
            lock = _held[key] = FolderLock(folder)
        return lock


def _say(file: int) -> None:
    """Write who holds the lock; the lock does not depend on it, so a full disk may be full."""
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    holder = {"process": os.getpid(), "machine": socket.gethostname(), "since": now}
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, b" " * _START + json.dumps(holder).encode())


def _let_go(file: int) -> None:
    """An empty file tells that whoever held the lock came to an end of its own."""
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
    os.close(file)


def _said(file: int) -> str:
    """Who holds the lock, as far as can be known."""
    try:
        os.lseek(file, _START, os.SEEK_SET)
        holder = json.loads(os.read(file, 1000))
        return "process {process} on {machine}, since {since}".format(**holder)
    except (OSError, ValueError, KeyError, TypeError):
        return "which one is not known"


def _in_use(folder: Path, holder: str) -> ImagestrataError:
    return ImagestrataError(
        f"Another process is working in {quote(folder)} ({holder}).",
        "Wait until it has finished or end it, or choose another folder. A process that was "
        "killed holds nothing: there is no need to delete anything.",
    )
