"""Let only one process at a time work in a run folder.

The operating system holds the lock on an open file, ``.lock`` in the folder. It releases the lock
when the process ends, also after kill -9 or a power cut, so that you never have to remove a stale
lock. A lock that consists of a file alone would remain, and another process may later get the
process number that it records.

The package filelock acquires the lock. On Linux and macOS it uses ``flock``, which NFS (since Linux
2.6.12) and SMB forward to the server, so that the lock also holds between machines; on Windows it
uses ``LockFileEx``. We use its lock on an open file and not its class ``FileLock``: that class
cannot mark that a process ended normally (see :func:`_let_go`), and before version 4 it replaces a
lock that a file system lacks by a file, or reports another process. If a file system has no locks,
as some file systems of clusters, work continues without a lock, and a warning says so.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
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

#: The text of the file begins behind its first byte, which Windows locks against reading.
_START = 1

#: Errors of a file system without locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class FolderLock:
    """A lock on a run folder, held as long as this object exists.

    :func:`lock_folder` returns one.

    Parameters
    ----------
    folder : Path
        An existing folder with write permission.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        try:
            # Do not follow links, which a folder from somebody else may contain.
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR):
                raise ImagestrataError(
                    f"{quote(path)} must be a plain file; it is a link or a folder.",
                    "Remove it: it contains nothing that is needed.",
                ) from None
            raise write_error(path, error) from None
        try:
            if not lock_descriptor(file, blocking=False):
                holder = _holder(file)
                os.close(file)
                raise ImagestrataError(
                    f"Another process is working in {quote(folder)} ({holder}).",
                    "Wait until it has finished, end it, or choose another folder. A process that "
                    "was killed holds no lock: you need not delete anything.",
                )
        except OSError as error:
            os.close(file)
            if error.errno not in _NO_LOCKS:
                raise write_error(path, error) from None
            warn(
                f"The file system of {quote(folder)} has no locks: make sure that no other process "
                "works in that folder."
            )
            return
        if os.fstat(file).st_size:
            remove_half_written(folder)
        self._release = weakref.finalize(self, _let_go, file)
        _write_holder(file)


_held: weakref.WeakValueDictionary[str, FolderLock] = weakref.WeakValueDictionary()
_taking = threading.Lock()


def lock_folder(folder: Path) -> FolderLock:
    """Return the lock on a folder: a new one, or the one that this process already holds.

    Within one process, several steps may hold the same lock.

    Raises
    ------
    ImagestrataError
        If another process holds the lock. The message names the process and the time.
    """
    key = os.path.realpath(folder)
    with _taking:
        lock = _held.get(key)
        if lock is None:
            lock = _held[key] = FolderLock(folder)
        return lock


def _write_holder(file: int) -> None:
    """Write which process holds the lock. The lock also holds if the disk is full."""
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    holder = {"process": os.getpid(), "machine": socket.gethostname(), "since": now}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name
        holder["user"] = getpass.getuser()
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, b" " * _START + json.dumps(holder).encode())


def _let_go(file: int) -> None:
    """Empty the file, which marks that the process released the lock normally."""
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
    os.close(file)


def _holder(file: int) -> str:
    """The process that holds the lock, as the file records it."""
    try:
        os.lseek(file, _START, os.SEEK_SET)
        holder = json.loads(os.read(file, 1000))
        of = " of {user}".format(**holder) if "user" in holder else ""
        return "process {process}{of} on {machine}, since {since}".format(of=of, **holder)
    except (OSError, ValueError, KeyError, TypeError):
        return "which one is unknown"
