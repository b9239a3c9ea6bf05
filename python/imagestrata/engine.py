"""Where heavy work is done: in threads of this process, or on the workers of a Dask cluster.

Work is a function and the items to call it on. Results come in the order of the items,
whoever made them and whenever, which is why they are the same wherever they were made.
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

#: Threads at most: each may hold a picture and a batch.
MOST_THREADS = 32

#: Tasks that wait for each thread of a cluster, so that none is ever idle.
_AHEAD = 2

#: Seconds in which a scheduler must answer.
_PATIENCE = 20

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Engine(Protocol):
    """Calls a function on items, many at a time.

    Attributes
    ----------
    remote : bool
        Whether that happens in other processes, on a cluster.
    """

    remote: bool

    def map(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int = 1
    ) -> Iterator[_Result]:
        """Results in the order of ``items``, of which only some are taken ahead of time.

        Parameters
        ----------
        work : callable
            For a cluster it must be picklable, like items and results: a function of a
            module, or a ``partial`` of one.
        items : iterable
        at_once : int, default 1
            Items that go to a cluster together. So many are taken ahead of time here, too.
        """
        ...

    def check_file(self, path: str | os.PathLike[str]) -> None:
        """Raise an error if a file is here, but a worker does not see it."""
        ...


@contextmanager
def open_engine(engine: Any = None, *, most_threads: int = MOST_THREADS) -> Iterator[Engine]:
    """Yield the engine that a user asked for.

    While it is open BLAS uses one thread here, as it does on a cluster: threads of a BLAS
    wait for each other in loops, which costs ten times the time where anything else runs,
    and sums would depend on their number.

    Work that was begun, and that nobody waits for any more, is cancelled at the end; where
    an error ends it, at once.

    Parameters
    ----------
    engine : Client, str or Engine, optional
        A client of a Dask cluster; or the address of its scheduler
        (``"tcp://node7:8786"``) or the file that it writes (``scheduler.json``). By
        default threads, one per core. One that is open already is yielded as it is.
    most_threads : int
        How many these are at most. The threads of a cluster are its owner's choice.

    Raises
    ------
    ImagestrataError
        If ``engine`` is none of these, or the cluster cannot be reached, has no
        workers, or has another version of this package.
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
    """Yield n threads; whatever they use may have threads of its own.

    Until they end, Pillow's warnings (odd EXIF and the like) are silenced, since filters of
    warnings belong to the whole process: our tables say what matters.

    Parameters
    ----------
    n : int
    stop : Event, optional
        Set when an error ends the work: threads that wait for something look at it.
    begin : callable, optional
        What each thread does first.
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
    """Have torch use the thread that calls this, and no other; if it is used at all."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


class _Threads:
    """One thread per core, each with a torch that uses no other.

    No core ever waits for another at the end of a loop, and sums do not depend on how
    many cores there are. Measured on two cores: 1.3 (resnet18) to 1.7 times (mobilenet_v2)
    as fast as one thread that encodes with parallel loops while others decode.
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
        """What is here is here."""


class _Dask:
    """The workers of a Dask cluster. What a worker did not finish, Dask gives to another."""

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
                # Hidden in a partial, since Dask would look through lists for results of its own.
                future = self._client.submit(partial(_work_through, work, some), pure=False)
                waiting.append(future)
                self._asked.add(future)
                # Workers may come and go.
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
        path = os.path.abspath(path)  # noqa: PTH100, links are not to be followed
        seen = self._client.run(os.path.exists, path, on_error="ignore")
        blind = [worker for worker, sees in seen.items() if not sees]
        if blind:
            raise ImagestrataError(
                f"{plural(len(blind), 'worker')} of {len(seen)} in the cluster cannot see "
                f"{quote(path)} (the first is {blind[0]}).",
                "Images and files of weights must lie on a file system that all machines of the "
                "cluster share, under the same path.",
            )

    def cancel(self) -> None:
        """Forget what was not waited for. Workers finish the pieces that they have begun."""
        if self._asked and self._client.status == "running":
            self._client.cancel(list(self._asked), force=True)


def _work_through(work: Callable[[_Item], _Result], items: list[_Item]) -> list[_Result]:
    """What a worker does, with one thread of BLAS and torch, as here; and as Dask's nanny says.

    It says so by variables of the environment, but there are workers without a nanny. (If
    one has several threads, the first that is done gives BLAS back what it had.) Warnings
    would be seen by nobody.
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
    from distributed import CancelledError, KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise ImagestrataError(
            "Workers of the cluster died of the same piece of work, "
            f"{error.allowed_failures + 1} in all.",
            "Mostly they lack memory: give each worker more, or fewer threads. Then run "
            f"{SAME_CALL} again: what is finished is kept.",
        ) from None
    except (CancelledError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise  # it is an error of the work
        raise ImagestrataError(
            "The scheduler of the Dask cluster is gone or was restarted, and the work in "
            "progress is lost.",
            f"Start the cluster and run {SAME_CALL} again: what is finished is kept.",
        ) from None


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """Set the number of torch's threads back: what one thread sets is where later ones start."""
    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)


@contextmanager
def _dask_client(engine: Any) -> Iterator[Any]:
    """The client that was given, or one of ours for an address."""
    from distributed import Client

    if isinstance(engine, Client):
        if engine.status != "running":
            raise ImagestrataError(
                f"The Dask client given as {arg('engine')} is not connected: it is "
                f"{quote(engine.status)}.",
                "Make a new one, or give the address of the scheduler.",
            )
        yield engine
        return
    if not isinstance(engine, str | os.PathLike):
        raise ImagestrataError(
            f"{arg('engine')} must be a Dask client, the address of its scheduler or a scheduler "
            f"file, not {kind_of(engine)}.",
            "Leave it out to work on this machine alone.",
        )
    where = os.fspath(engine)
    connect: Any = Client  # which has no types
    client, reason = None, ""
    try:
        # Dask would wait for a file that does not exist.
        file = where.endswith(".json")
        address = read_json(expand_home(where))["address"] if file else where
        client = connect(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error)
    if client is None:
        # Collects the client that did not connect. If the collector met it later, inside Dask's
        # own lock, closing it would wait for that lock for ever.
        gc.collect()
        raise ImagestrataError(
            f"No Dask scheduler answers at {quote(where)} ({reason}).",
            "Start one (`dask scheduler`, or a cluster of dask-jobqueue) and give its address.",
        )
    with client:
        yield client


def _check_workers(client: Any) -> None:
    if not client.nthreads():
        raise ImagestrataError(
            "The Dask cluster has no workers yet.",
            "Start some (cluster.scale(4)), or wait for them: client.wait_for_workers(1).",
        )

    # Made here so that Dask sends its code: a worker without the package could not look it up.
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
