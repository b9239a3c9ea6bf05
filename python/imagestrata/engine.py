"""Run heavy work in threads of this process, or on the workers of a Dask cluster.

Work is a function and the items to call it on. Results arrive in the order of the items, whichever
worker computed them, so that they are the same on every engine.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeVar

from .cores import usable_cores
from .errors import ImagestrataError, plural
from .extras import require
from .files import read_json
from .provenance import version
from .validate import expand_home
from .wording import SAME_CALL, arg, kind_of, quote

#: The largest number of threads: each may hold an image and a batch in memory.
MOST_THREADS = 32

#: The number of tasks in the queue of each thread of a cluster, so that no thread is idle.
_AHEAD = 2

#: The number of seconds within which a scheduler must answer.
_PATIENCE = 20

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Engine(Protocol):
    """Calls a function on items, many at a time.

    Attributes
    ----------
    remote : bool
        Whether the function runs in other processes, on a cluster.
    """

    remote: bool

    def map(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int = 1
    ) -> Iterator[_Result]:
        """Yield results in the order of ``items``; only some items are read ahead.

        Parameters
        ----------
        work : callable
            For a cluster it must be picklable, like items and results: a function of a
            module, or a ``partial`` of such a function.
        items : iterable
        at_once : int, default 1
            The number of items that go to a worker together. Threads read as many items ahead.
        """
        ...

    def check_file(self, path: str | os.PathLike[str]) -> None:
        """Raise an error if a file exists here, but a worker cannot see it."""
        ...


@contextmanager
def open_engine(engine: Any = None, *, most_threads: int = MOST_THREADS) -> Iterator[Engine]:
    """Yield the engine that the user chose.

    While the engine is open, BLAS uses one thread here, as it does on a cluster. Several threads of
    a BLAS wait for each other in loops, which takes ten times as long if anything else runs, and
    sums would depend on their number.

    At the end, work that nobody waits for is cancelled; after an error, at once.

    Parameters
    ----------
    engine : Client, str or Engine, optional
        A client of a Dask cluster, the address of its scheduler (``"tcp://node7:8786"``) or
        the file that the scheduler writes (``scheduler.json``). By default threads, one per core.
        An engine that is already open is yielded unchanged.
    most_threads : int
        The largest number of threads here. The owner of a cluster chooses the threads there.

    Raises
    ------
    ImagestrataError
        If ``engine`` is of another type; or if the cluster cannot be reached, has no workers or
        has another version of this package.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if isinstance(engine, _Threads | _Dask):
        yield engine
        return
    if engine is None:
        n = min(usable_cores(), most_threads)
        with (
            threadpool_limits(limits=1, user_api="blas"),
            _torch_as_it_was(),
            open_threads(n, begin=torch_in_one_thread) as local,
        ):
            yield local
        return
    require("distributed", "dask", "Working on a cluster")
    with threadpool_limits(limits=1, user_api="blas"), _dask_client(engine) as client:
        _check_workers(client)
        cluster = _Dask(client)
        try:
            yield cluster
        finally:
            cluster.cancel()


@contextmanager
def open_threads(
    n: int, stop: Event | None = None, *, begin: Callable[[], None] | None = None
) -> Iterator[Engine]:
    """Yield an engine with n threads.

    Until they end, warnings of Pillow (such as those about EXIF) are silenced for the whole
    process: our tables report what matters.

    Parameters
    ----------
    n : int
    stop : Event, optional
        Set when an error ends the work, for threads that wait for something.
    begin : callable, optional
        A function that each thread calls first.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(n, initializer=begin) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            yield _Threads(pool, n)
        except BaseException:
            if stop is not None:
                stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def torch_in_one_thread() -> None:
    """Let torch use one thread only, if torch is loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


class _Threads:
    """One thread per core; torch uses no further threads.

    No core waits for another at the end of a loop, and sums do not depend on the number of cores.
    Measured on two cores, this is 1.3 (resnet18) to 1.7 times (mobilenet_v2) as fast as one thread
    that encodes with parallel loops while others decode.
    """

    remote = False

    def __init__(self, pool: ThreadPoolExecutor, n: int) -> None:
        self._pool = pool
        self._n = n

    def map(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int = 1
    ) -> Iterator[_Result]:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) > max(self._n, at_once):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def check_file(self, path: str | os.PathLike[str]) -> None:
        """Do nothing: the threads see the files of this process."""


class _Dask:
    """The workers of a Dask cluster, which gives work of a lost worker to another one."""

    remote = True

    def __init__(self, client: Any) -> None:
        self._client = client
        self._asked: set[Any] = set()

    def map(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int = 1
    ) -> Iterator[_Result]:
        rest = iter(items)
        waiting: deque[Any] = deque()
        with _losses_explained(self._client):
            while some := list(islice(rest, at_once)):
                # Hidden in a partial, since Dask would search lists for its own results.
                future = self._client.submit(partial(_work_through, work, some), pure=False)
                waiting.append(future)
                self._asked.add(future)
                # The number of workers may change.
                if len(waiting) > _AHEAD * sum(self._client.nthreads().values()):
                    yield from self._take(waiting)
            while waiting:
                yield from self._take(waiting)

    def _take(self, waiting: deque[Any]) -> list[Any]:
        future = waiting.popleft()
        done: list[Any] = future.result()
        self._asked.discard(future)
        return done

    def check_file(self, path: str | os.PathLike[str]) -> None:
        if not Path(path).exists():
            return
        path = os.path.abspath(path)  # noqa: PTH100, does not follow links
        seen = self._client.run(os.path.exists, path, on_error="ignore")
        blind = [worker for worker, sees in seen.items() if not sees]
        if blind:
            raise ImagestrataError(
                f"{plural(len(blind), 'worker')} of {len(seen)} in the cluster cannot see "
                f"{quote(path)} (the first is {blind[0]}).",
                "Images and files of weights must be on a file system that all machines of the "
                "cluster share, under the same path.",
            )

    def cancel(self) -> None:
        """Cancel work that nobody waits for. Workers finish the tasks that they have begun."""
        if self._asked and self._client.status == "running":
            self._client.cancel(list(self._asked), force=True)


def _work_through(work: Callable[[_Item], _Result], items: list[_Item]) -> list[_Result]:
    """Results of a worker, computed with one thread of BLAS and torch, as here.

    Dask's nanny sets the same by environment variables, but some workers have no nanny. (If a
    worker has several threads, the first one that finishes resets BLAS.) Warnings are silenced,
    since nobody would see them.
    """
    from threadpoolctl import threadpool_limits

    with (
        threadpool_limits(limits=1, user_api="blas"),
        _torch_as_it_was(),
        warnings.catch_warnings(),
    ):
        torch_in_one_thread()
        warnings.simplefilter("ignore")
        return [work(item) for item in items]


@contextmanager
def _losses_explained(client: Any) -> Iterator[None]:
    """Turn errors of a lost worker or scheduler into errors for users."""
    from distributed import CancelledError, KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise ImagestrataError(
            f"{plural(error.allowed_failures + 1, 'worker')} of the cluster died of the same task.",
            "Usually they lack memory: give each worker more memory, or fewer threads. Then run "
            f"{SAME_CALL} again: finished work is kept.",
        ) from None
    except (CancelledError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise  # the work itself failed
        raise ImagestrataError(
            "The scheduler of the Dask cluster ended or was restarted, and the work in progress is "
            "lost.",
            f"Start the cluster and run {SAME_CALL} again: finished work is kept.",
        ) from None


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """Reset the number of threads of torch at the end, since later threads would inherit it."""
    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)


@contextmanager
def _dask_client(engine: Any) -> Iterator[Any]:
    """Yield the given client, or a new client for an address."""
    from distributed import Client

    if isinstance(engine, Client):
        if engine.status != "running":
            raise ImagestrataError(
                f"The Dask client given as {arg('engine')} is not connected: it is "
                f"{quote(engine.status)}.",
                "Make a new client, or give the address of the scheduler.",
            )
        yield engine
        return
    if not isinstance(engine, str | os.PathLike):
        raise ImagestrataError(
            f"{arg('engine')} must be a Dask client, the address of its scheduler or a scheduler "
            f"file, not {kind_of(engine)}.",
            "Leave it out to work on this machine.",
        )
    where = os.fspath(engine)
    connect: Any = Client  # distributed has no types
    client, reason = None, ""
    try:
        # Dask itself would wait for a file that does not exist.
        file = where.endswith(".json")
        address = read_json(expand_home(where))["address"] if file else where
        client = connect(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error)
    if client is None:
        # Collect the client that did not connect now. If it were collected later, while Dask holds
        # its lock, closing the client would wait for that lock forever.
        gc.collect()
        raise ImagestrataError(
            f"No Dask scheduler answers at {quote(where)} ({reason}).",
            "Start a scheduler (`dask scheduler`, or with dask-jobqueue) and give its address.",
        )
    with client:
        yield client


def _check_workers(client: Any) -> None:
    if not client.nthreads():
        raise ImagestrataError(
            "The Dask cluster has no workers yet.",
            "Start workers (cluster.scale(4)), or wait for them: client.wait_for_workers(1).",
        )

    # Defined here so that Dask sends its code: a worker without the package could not import it.
    def version_there() -> str | None:
        try:
            from imagestrata.provenance import version

            return version()
        except ImportError:
            return None

    here = version()
    for worker, there in client.run(version_there, on_error="ignore").items():
        if there != here:
            seen = "no imagestrata" if there is None else f"imagestrata {there}"
            raise ImagestrataError(
                f"The worker {worker} has {seen}; here it is {here}.",
                "Install the same version for all workers.",
            )
