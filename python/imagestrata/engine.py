"""Where heavy work is done: in threads of this process, or on the workers of a Dask cluster.

Work is a function and the items to call it on. Results come in the order of the items,
whoever made them and whenever, which is why they are the same wherever they were made.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from .errors import ImagestrataError
from .extras import require
from .provenance import version

#: Threads at most: each may hold a picture and a batch.
MOST_WORKERS = 32

#: Items that wait for each thread of a cluster, so that none is ever idle.
_AHEAD = 2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Engine(Protocol):
    """Calls a function on items, many at a time.

    Attributes
    ----------
    remote : bool
        Whether that happens in other processes: what is given must be picklable, and
        files are looked for by the machines of the cluster.
    """

    remote: bool

    def map(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Results in the order of ``items``, of which only a few are taken ahead of time."""
        ...

    def check_file(self, path: str) -> None:
        """Raise an error if a worker cannot see a file that is here."""
        ...


@contextmanager
def open_engine(engine: Any = None) -> Iterator[Engine]:
    """Yield the engine that a user asked for.

    Parameters
    ----------
    engine : Client or str, optional
        A client of a Dask cluster; or the address of its scheduler
        (``"tcp://node7:8786"``) or the file that it writes (``scheduler.json``). By
        default threads, one per core.

    Raises
    ------
    ImagestrataError
        If ``engine`` is none of these, or the cluster cannot be reached, has no
        workers, or has another version of this package.
    """
    if engine is None:
        with _threads() as local:
            yield local
        return
    require("distributed", "dask", "Working on a cluster")
    with _dask_client(engine) as client:
        _check_workers(client)
        yield _Dask(client)


class _Threads:
    """One thread per core, each with a BLAS and a torch that use no other.

    No core ever waits for another at the end of a loop, and sums do not depend on how
    many cores there are.
    """

    remote = False

    def __init__(self, pool: ThreadPoolExecutor, n: int) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

        self._pool = pool
        self._n = n
        self._libraries = ThreadpoolController()

    def map(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        with self._libraries.limit(limits=1, user_api="blas"):
            yield from _in_order(lambda item: self._pool.submit(work, item), items, self._n)

    def check_file(self, path: str) -> None:
        """What is here is here."""


class _Dask:
    """The workers of a Dask cluster. Dask repeats what a worker did not finish."""

    remote = True

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        from distributed import KilledWorker

        def submit(item: _Item) -> Any:
            return self._client.submit(work, item, pure=False)

        threads = sum(worker["nthreads"] for worker in _workers(self._client).values())
        try:
            yield from _in_order(submit, items, _AHEAD * max(threads, 1))
        except KilledWorker as error:
            raise ImagestrataError(
                "Several workers of the cluster died one after the other of the same piece of "
                f"work ({str(error).splitlines()[0]}).",
                "Mostly they lack memory: give each worker more, or fewer threads. Then run the "
                "same command again: what is finished is kept.",
            ) from error

    def check_file(self, path: str) -> None:
        seen = self._client.run(os.path.exists, path)
        blind = [worker for worker, sees in seen.items() if not sees]
        if blind:
            raise ImagestrataError(
                f"{len(blind)} of {len(seen)} workers of the cluster do not see {path!r} (the "
                f"first is {blind[0]}).",
                "Images and run folders must lie on a file system that all machines of the "
                "cluster share, under the same path.",
            )


def _in_order(submit: Callable[[_Item], Any], items: Iterable[_Item], ahead: int) -> Iterator[Any]:
    """Results of futures in the order of items; those not asked for are cancelled."""
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(submit(item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def _threads() -> Iterator[_Threads]:
    n = min(_cores(), MOST_WORKERS)
    with _torch_in_single_threads() as alone, ThreadPoolExecutor(n, initializer=alone) as pool:
        try:
            yield _Threads(pool, n)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _torch_in_single_threads() -> Iterator[Callable[[], None]]:
    """Yield what a new thread calls so that torch uses that one only, if it is used at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield lambda: None
        return
    before = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(1)
    finally:
        # What one thread sets is where later ones start.
        torch.set_num_threads(before)


@contextmanager
def _dask_client(engine: Any) -> Iterator[Any]:
    """The client that was given, or one of ours for an address."""
    from distributed import Client

    if isinstance(engine, Client):
        yield engine
        return
    if not isinstance(engine, str | os.PathLike):
        raise ImagestrataError(
            "`engine` must be a Dask client, the address of its scheduler or a scheduler file, "
            f"not {type(engine).__name__}.",
            "Leave it out to work on this machine alone.",
        )
    where = os.fspath(engine)
    known = {"scheduler_file": where} if where.endswith(".json") else {"address": where}
    try:
        client = Client(**known, timeout=20)
    except (OSError, ValueError) as error:
        raise ImagestrataError(
            f"No Dask scheduler answers at {where!r} ({error}).",
            "Start one (`dask scheduler`, or a cluster of dask-jobqueue) and give its address.",
        ) from error
    with client:
        yield client


def _check_workers(client: Any) -> None:
    if not _workers(client):
        raise ImagestrataError(
            "The Dask cluster has no workers yet.",
            "Start some (cluster.scale(4)), or wait for them: client.wait_for_workers(1).",
        )
    here = version()
    for worker, there in client.run(_version_or_none).items():
        if there != here:
            seen = "no imagestrata" if there is None else f"imagestrata {there}"
            raise ImagestrataError(
                f"The worker {worker} has {seen}; here it is {here}.",
                "Install the same version for all workers.",
            )


def _version_or_none() -> str | None:
    return version()


def _workers(client: Any) -> dict[str, Any]:
    known: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return known
