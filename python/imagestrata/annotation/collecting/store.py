"""The database of a server of forms: who has which sheet, and every answer that was given.

SQLite writes every transaction to a log that is flushed to the disk before an answer is
acknowledged (``journal_mode = WAL``, ``synchronous = FULL``): neither kill -9 nor a power cut loses
an acknowledged answer. One thread writes. Transactions that wait while it flushes are committed
together, so that many annotators cost few flushes; each can still fail alone.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...errors import ImagestrataError
from ...files import write_error
from ...wording import quote
from .kinds import Refused, Sheet

T = TypeVar("T")

#: The most transactions that are committed together.
_TOGETHER = 256
#: Increased whenever the tables change.
_VERSION = 1
_TABLES = """
CREATE TABLE sheet (
    name TEXT PRIMARY KEY, place INTEGER NOT NULL, grp TEXT NOT NULL, capacity INTEGER,
    n_tasks INTEGER NOT NULL
);
CREATE TABLE person (
    id INTEGER PRIMARY KEY, visit TEXT NOT NULL UNIQUE, code TEXT NOT NULL UNIQUE,
    grp TEXT NOT NULL, sheet TEXT NOT NULL REFERENCES sheet (name),
    begun REAL NOT NULL, seen REAL NOT NULL, finished REAL, completion TEXT
);
CREATE INDEX person_of_sheet ON person (sheet);
CREATE TABLE answer (
    id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES person (id),
    sequence TEXT NOT NULL, task TEXT NOT NULL, value TEXT NOT NULL, done INTEGER NOT NULL,
    given REAL NOT NULL, UNIQUE (person, sequence)
);
CREATE INDEX answer_to_task ON answer (person, task, id);
"""
#: The last answer of each person to each task.
_LAST = "SELECT max(id) AS id, person, task, value, done, given FROM answer GROUP BY person, task"


class Person(NamedTuple):
    """A person, as the database has her.

    Attributes
    ----------
    id : int
    visit : str
        The random part of her own link.
    code : str
        Her code, or her id in a panel.
    grp, sheet : str
        Her group, and the set of tasks that she has.
    begun, seen : float
        When she began, and when her last answer arrived, in seconds since 1970.
    finished : float or None
        When all tasks were done.
    completion : str or None
        The completion code that she was shown.
    """

    id: int
    visit: str
    code: str
    grp: str
    sheet: str
    begun: float
    seen: float
    finished: float | None = None
    completion: str | None = None


class Answer(NamedTuple):
    """The last answer of a person to a task; ``value`` is JSON."""

    person: int
    task: str
    value: str
    done: bool
    given: float


def connect(file: Path) -> sqlite3.Connection:
    """Open the database; transactions are begun and committed by hand."""
    connection = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


class Store:
    """The database, with the one thread that writes it.

    Parameters
    ----------
    file : Path
    sheets : iterable of Sheet
        The sets of tasks, in the order in which they are handed out.
    """

    def __init__(self, file: Path, sheets: Iterable[Sheet]) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[Any], Any], Future[Any]] | None]
        self._jobs = queue.SimpleQueue()
        self.file = file
        try:
            # Only its owner may read what people answered.
            file.touch(mode=0o600)
            self._writing, self._reading = connect(file), connect(file)
            _prepare(self._writing, sheets)
        except OSError as error:
            raise write_error(file, error) from None
        except sqlite3.Error as error:
            raise unreadable(file, error) from None
        self._thread = threading.Thread(target=self._write_all, name="answers", daemon=True)
        self._thread.start()

    def write(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a function of the connection in a transaction; the future ends after its commit."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that only reads, in the thread of the server."""
        return job(self._reading)

    def close(self) -> None:
        """Finish the waiting transactions and close the database."""
        self._jobs.put(None)
        self._thread.join()
        self._reading.close()
        self._writing.close()

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            waiting = [self._jobs.get()]
            while waiting[-1] is not None and len(waiting) < _TOGETHER:
                try:
                    waiting.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            is_open = waiting[-1] is not None
            jobs = [one for one in waiting if one is not None]
            if jobs:
                self._commit(jobs)

    def _commit(self, jobs: list[tuple[Callable[[Any], Any], Future[Any]]]) -> None:
        ended: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            for job, future in jobs:
                self._writing.execute("SAVEPOINT one")
                try:
                    ended.append((future, job(self._writing), None))
                except Exception as error:
                    self._writing.execute("ROLLBACK TO one")
                    ended.append((future, None, error))
                self._writing.execute("RELEASE one")
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:  # the disk is full: nothing of this is acknowledged
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            ended = [(future, None, error) for _, future in jobs]
        for future, result, failure in ended:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)


def unreadable(file: Path, error: Exception) -> ImagestrataError:
    """The error for a database that cannot be used."""
    return ImagestrataError(
        f"The answers in {quote(file)} cannot be opened ({error}).",
        "Restore the file, with those beside it that have its name, from a backup.",
    )


def _prepare(connection: sqlite3.Connection, sheets: Iterable[Sheet]) -> None:
    """Make the tables of a new database, or check those of an old one."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == 0:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO sheet VALUES (?, ?, ?, ?, ?)",
            [
                (one.name, place, one.group, one.capacity, len(one.tasks))
                for place, one in enumerate(sheets)
            ],
        )
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    elif found != _VERSION:
        raise ImagestrataError(
            f"The answers were collected with another version of imagestrata (tables {found}, not "
            f"{_VERSION}).",
            "Use that version to export them.",
        )


# ---- people ----


def person_by(connection: sqlite3.Connection, column: str, value: str) -> Person | None:
    """The person with a visit or a code."""
    row = connection.execute(f"SELECT * FROM person WHERE {column} = ?", (value,)).fetchone()
    return None if row is None else Person(*row)


def enter(connection: sqlite3.Connection, person: Person, idle: float, now: float) -> Person | None:
    """Give a new person the next free sheet of her group; None if no sheet is free.

    A sheet is free as long as fewer people than its capacity have finished it or gave an answer
    to it within the last ``idle`` seconds. Sheets that nobody has begun come first.
    """
    free = connection.execute(
        "SELECT name FROM sheet WHERE grp = ? AND (capacity IS NULL OR capacity > ("
        "SELECT count(*) FROM person WHERE sheet = name AND (finished IS NOT NULL OR seen > ?))) "
        "ORDER BY (SELECT count(*) FROM person WHERE sheet = name), place LIMIT 1",
        (person.grp, now - idle),
    ).fetchone()
    if free is None:
        return None
    cursor = connection.execute(
        "INSERT INTO person (visit, code, grp, sheet, begun, seen) VALUES (?, ?, ?, ?, ?, ?)",
        (person.visit, person.code, person.grp, free[0], now, now),
    )
    return person._replace(id=cursor.lastrowid or 0, sheet=free[0], begun=now, seen=now)


def return_to(connection: sqlite3.Connection, person: Person, now: float) -> Person:
    """Let a person go on: her sheet is taken again."""
    connection.execute("UPDATE person SET seen = ? WHERE id = ?", (now, person.id))
    return person._replace(seen=now)


# ---- answers ----


def keep(
    connection: sqlite3.Connection,
    person: Person,
    sequence: str,
    answer: Answer,
    completion: str,
) -> int:
    """Store an answer once, and return how many tasks of the sheet are not done.

    With the last task, the completion code is stored as well.
    A repeated request, after an acknowledgement that was lost, changes nothing.
    """
    known = connection.execute(
        "SELECT task, value FROM answer WHERE person = ? AND sequence = ?", (person.id, sequence)
    ).fetchone()
    if known is None:
        connection.execute(
            "INSERT INTO answer (person, sequence, task, value, done, given) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (person.id, sequence, answer.task, answer.value, answer.done, answer.given),
        )
        connection.execute("UPDATE person SET seen = ? WHERE id = ?", (answer.given, person.id))
    elif known != (answer.task, answer.value):
        raise Refused(409, "Another answer has the same number.")
    (n_tasks,) = connection.execute(
        "SELECT n_tasks FROM sheet WHERE name = ?", (person.sheet,)
    ).fetchone()
    left = int(n_tasks) - len(tasks_done(connection, person.id))
    if left == 0:
        connection.execute(
            "UPDATE person SET finished = ?, completion = ? WHERE id = ? AND finished IS NULL",
            (answer.given, completion, person.id),
        )
    return left


def tasks_done(connection: sqlite3.Connection, person: int) -> list[str]:
    """The tasks whose last answer is complete."""
    rows = connection.execute(
        "SELECT task, done, max(id) FROM answer WHERE person = ? GROUP BY task", (person,)
    )
    return [task for task, done, _ in rows if done]


class Collected(NamedTuple):
    """Everything in a database: names of sheets, people, and their last answers."""

    sheets: list[tuple[str, str, int | None, int]]
    people: list[Person]
    answers: list[Answer]


def collected(file: Path) -> Collected:
    """Everything that was collected so far; a running server goes on meanwhile."""
    try:
        with closing(connect(file)) as connection:
            connection.execute("BEGIN")  # all of it as it was at one moment
            sheets = connection.execute(
                "SELECT name, grp, capacity, n_tasks FROM sheet ORDER BY place"
            ).fetchall()
            people = connection.execute("SELECT * FROM person ORDER BY id").fetchall()
            answers = connection.execute(
                f"SELECT person, task, value, done, given FROM ({_LAST}) ORDER BY person, id"
            ).fetchall()
    except sqlite3.Error as error:
        raise unreadable(file, error) from None
    return Collected(sheets, [Person(*row) for row in people], [Answer(*row) for row in answers])
