"""The pages and requests of the server of forms.

=======  ============================  ===========================================================
GET      ``/r/LINK``                   the first page of a group; ``?id=`` is the id of a panel
POST     ``/r/LINK/begin``             a free set of tasks, or the own one again
GET      ``/s/VISIT/``                 the tasks of one person
POST     ``/s/VISIT/answers``          one answer
GET      ``/s/VISIT/images/NAME``      an image of her tasks
GET      ``/w/TOKEN/``                 progress, for the researcher
GET      ``/w/TOKEN/progress``         the same as JSON
GET      ``/w/TOKEN/answers.csv``      all answers
=======  ============================  ===========================================================

All addresses in pages are relative, so that a proxy may add a path. No address of the network is
stored or logged, and answers are never sent back to annotators.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote as as_url
from urllib.parse import urlsplit

from ...extras import require
from ...page import served_page
from .collected import answers_of
from .folder import ANSWERS, Forms
from .kinds import Refused
from .progress import progress_of
from .store import Answer, Person, Store, collected, enter, keep, person_by, return_to, tasks_done

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LOG = logging.getLogger(__name__)
#: The longest request, in bytes: labels of a large group of images have some ten thousand.
_LONGEST = 256 * 1024
#: Requests per second that a link and a person may make, and how many at once.
_PACE_OF_LINKS, _PACE_OF_PEOPLE, _PACE_OF_RESEARCHER = (20.0, 400.0), (10.0, 120.0), (2.0, 20.0)
#: Ids of panels.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@~+=-]{0,99}")
_SEQUENCE = re.compile(r"[0-9a-z-]{8,40}")
_VISIT, _SIGNATURE = 16, 32
#: Letters of codes; those that look alike are left out.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_ELSEWHERE = "Your link belongs to another page. Please use the link exactly as you were given it."
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class Rules(NamedTuple):
    """The choices of the researcher.

    Attributes
    ----------
    idle : float
        Seconds without an answer after which a set of tasks becomes free.
    completion_code : str or None
        The code that all receive at the end; None for one of their own.
    return_address : str or None
        The address to which they return, with ``{id}`` and ``{code}``.
    address : str or None
        The public address of the server, behind a proxy.
    """

    idle: float = 3600.0
    completion_code: str | None = None
    return_address: str | None = None
    address: str | None = None


class Pace:
    """A limit on requests per key: so many at once, and so many per second after that."""

    def __init__(self, per_second: float, at_once: float) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, key: str, now: float) -> bool:
        """Count a request, and say whether it is within the limit."""
        left, since = self._left.get(key, (self._at_once, now))
        left = min(self._at_once, left + (now - since) * self._per_second)
        self._left[key] = (max(left - 1.0, 0.0), now)
        return left >= 1.0


def make_site(
    forms: Forms, store: Store, rules: Rules | None = None, clock: Callable[[], float] = time.time
) -> _Guard:
    """The application that serves forms.

    Parameters
    ----------
    forms : Forms
    store : Store
    rules : Rules, optional
    clock : callable
        Returns the time in seconds since 1970.
    """
    applications = require("starlette.applications", "server", "The server of forms")
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    site = _Site(forms, store, rules or Rules(), clock)
    made = applications.Starlette(
        routes=[
            Route("/", site.home, methods=["GET"]),
            Route("/favicon.ico", site.no_icon, methods=["GET"]),
            Route("/robots.txt", site.robots, methods=["GET"]),
            Route("/r/{link}", site.entry, methods=["GET"]),
            Route("/r/{link}/begin", site.begin, methods=["POST"]),
            Route("/s/{visit}/", site.tasks, methods=["GET"]),
            Route("/s/{visit}/answers", site.answer, methods=["POST"]),
            Route("/s/{visit}/images/{name}.jpg", site.image, methods=["GET"]),
            Route("/w/{token}/", site.watch, methods=["GET"]),
            Route("/w/{token}/progress", site.progress, methods=["GET"]),
            Route("/w/{token}/answers.csv", site.download, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: site.error,
            Refused: site.error,
            sqlite3.Error: site.error,
            Exception: site.error,
        },
    )
    made.router.redirect_slashes = False
    return _Guard(made)


class _Guard:
    """Headers for every answer of the server, also errors."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in _HEADERS.items()
                        if name.encode() not in there
                    ),
                ]
            await send(message)

        await self._app(scope, receive, guarded)


class _Site:
    """One method per request."""

    def __init__(
        self, forms: Forms, store: Store, rules: Rules, clock: Callable[[], float]
    ) -> None:
        self._forms, self._store, self._rules, self._clock = forms, store, rules, clock
        self._links = Pace(*_PACE_OF_LINKS)
        self._people = Pace(*_PACE_OF_PEOPLE)
        self._researcher = Pace(*_PACE_OF_RESEARCHER)

    # ---- annotators ----

    async def home(self, request: Request) -> Response:
        return _notice("Forms of a study", ["To take part, open the link that you were given."])

    async def no_icon(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(status_code=204)

    async def robots(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("User-agent: *\nDisallow: /\n")

    async def entry(self, request: Request) -> Response:
        self._group(request)
        panel_id = request.query_params.get("id")
        if panel_id is not None and not _ID.fullmatch(panel_id):
            raise Refused(400, "The id in your link has characters that an id cannot have.")
        link = request.path_params["link"]
        return _page(
            "entry",
            {"begin": f"{link}/begin", "id": panel_id},
            title=self._forms.title,
            question=self._forms.question,
            asks=panel_id is None,
        )

    async def begin(self, request: Request) -> Response:
        group = self._group(request)
        asked = await self._body(request, {"id", "code"})
        panel_id, code = asked["id"], asked["code"]
        if not all(one is None or isinstance(one, str) for one in (panel_id, code)):
            raise Refused(422, "An id and a code are texts.")
        if panel_id is not None and not _ID.fullmatch(panel_id):
            raise Refused(422, "The id in your link has characters that an id cannot have.")
        person = await self._written(
            lambda connection: self._enter(connection, group, panel_id, code)
        )
        return _json({"go": f"../s/{self._link(person)}/"})

    def _enter(
        self, connection: sqlite3.Connection, group: str, panel_id: str | None, code: str | None
    ) -> Person:
        now = self._clock()
        known = None
        for wanted in filter(None, (panel_id, code, code and code.upper())):
            known = known or person_by(connection, "code", wanted)
        if known is not None:
            if known.grp != group:
                raise Refused(403, "Your code belongs to another link of this study.")
            return return_to(connection, known, now)
        if code:
            raise Refused(
                404, "There is no such code. Check its spelling, or leave it empty to begin."
            )
        new = panel_id or _new_code()
        visit = secrets.token_hex(_VISIT // 2)
        person = enter(
            connection, Person(0, visit, new, group, "", now, now), self._rules.idle, now
        )
        if person is None:
            raise Refused(
                409,
                "All sets of images are taken or finished. Some may become free again: please try "
                "later, or ask whoever sent you the link.",
            )
        return person

    async def tasks(self, request: Request) -> Response:
        person = self._person(request)
        forms, sheet = self._forms, self._forms.sheets[person.sheet]
        done = self._store.read(lambda connection: tasks_done(connection, person.id))
        remote = {
            "code": person.code,
            "name": forms.signed("browser", person.visit)[:16],
            "done": done,
            "end": self._end(person, len(sheet.tasks) - len(done)),
        }
        return _page(
            forms.kind.name,
            {**sheet.page, "key": remote["name"], "remote": remote},
            title=forms.title,
            question=forms.question,
            warning=forms.warning,
        )

    async def answer(self, request: Request) -> Response:
        person = self._person(request)
        given = await self._body(request, {"sequence", "task", "value"})
        sequence, task = given["sequence"], given["task"]
        if not isinstance(sequence, str) or not _SEQUENCE.fullmatch(sequence):
            raise Refused(422, "The number of an answer is not valid.")
        sheet = self._forms.sheets[person.sheet]
        if not isinstance(task, str) or task not in sheet.tasks:
            raise Refused(422, "An answer is about something that is not part of this form.")
        done = self._forms.kind.check(sheet, given["value"], task)
        value = json.dumps(given["value"], ensure_ascii=False, sort_keys=True)
        answer = Answer(person.id, task, value, done, self._clock())
        code = self._completion(person)
        left = await self._written(
            lambda connection: keep(connection, person, sequence, answer, code)
        )
        return _json({"left": left, "end": self._end(person, left)})

    async def image(self, request: Request) -> Response:
        from starlette.responses import FileResponse

        person, name = self._person(request), request.path_params["name"]
        if name not in self._forms.sheets[person.sheet].images:
            raise Refused(404, "There is no such image.")
        return FileResponse(self._forms.folder / "images" / f"{name}.jpg", media_type="image/jpeg")

    # ---- the researcher ----

    async def watch(self, request: Request) -> Response:
        state = await self._progress(request)
        return _page("progress", state, title=f"Progress: {self._forms.title}")

    async def progress(self, request: Request) -> Response:
        return _json(await self._progress(request))

    async def _progress(self, request: Request) -> dict[str, Any]:
        from starlette.concurrency import run_in_threadpool

        self._check_researcher(request)
        return await run_in_threadpool(progress_of, self._forms, self._rules.idle, self._clock())

    async def download(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        self._check_researcher(request)
        text = await run_in_threadpool(_csv_of, self._forms)
        named = {"content-disposition": 'attachment; filename="answers.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=named)

    # ---- who asks ----

    def _group(self, request: Request) -> str:
        """The group of a link; every token is compared, in constant time."""
        given = request.path_params["link"].encode()
        links = self._forms.links.items()
        found = [group for group, link in links if hmac.compare_digest(link.encode(), given)]
        if not found:
            raise Refused(404, _ELSEWHERE)
        self._check_pace(self._links, found[0])
        return found[0]

    def _link(self, person: Person) -> str:
        """The last part of a person's own link: a random name, and its signature."""
        return person.visit + self._forms.signed("visit", person.visit)[:_SIGNATURE]

    def _person(self, request: Request) -> Person:
        given = request.path_params["visit"]
        visit, signature = given[:_VISIT], given[_VISIT:]
        right = self._forms.signed("visit", visit)[:_SIGNATURE]
        if not hmac.compare_digest(right.encode(), signature.encode()):
            raise Refused(404, _ELSEWHERE)
        self._check_pace(self._people, visit)
        person = self._store.read(lambda connection: person_by(connection, "visit", visit))
        if person is None:
            raise Refused(404, _ELSEWHERE)
        return person

    def _check_researcher(self, request: Request) -> None:
        given = request.path_params["token"].encode()
        if not hmac.compare_digest(self._forms.researcher.encode(), given):
            raise Refused(404, _ELSEWHERE)
        self._check_pace(self._researcher, "researcher")

    def _check_pace(self, pace: Pace, key: str) -> None:
        if not pace.allows(key, time.monotonic()):
            raise Refused(429, "Too many requests. Please wait a moment and try again.")

    def _end(self, person: Person, left: int) -> dict[str, str | None] | None:
        """What a person receives when all her answers are stored."""
        if left > 0:
            return None
        code = self._completion(person)
        address = self._rules.return_address
        if address is not None:
            for name, value in (("{id}", person.code), ("{code}", code)):
                address = address.replace(name, as_url(value, safe=""))
        return {"code": code, "address": address}

    def _completion(self, person: Person) -> str:
        """The code that a person has seen, or will see at the end."""
        signature = self._forms.signed("completion", person.visit)
        return person.completion or self._rules.completion_code or signature[:10].upper()

    # ---- requests ----

    async def _body(self, request: Request, fields: set[str]) -> dict[str, Any]:
        """The checked JSON of a request from one of our own pages."""
        self._check_origin(request)
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refused(415, "Requests must be JSON.")
        text = bytearray()
        async for part in request.stream():
            text += part
            if len(text) > _LONGEST:
                raise Refused(413, "The request is too long.")
        try:
            content = json.loads(text, parse_constant=_no_number)
            json.dumps(content, ensure_ascii=False).encode()  # lone surrogates cannot be stored
        except (ValueError, RecursionError):
            raise Refused(400, "The request is not valid JSON.") from None
        if not isinstance(content, dict) or {*content} != fields:
            raise Refused(422, f"A request must have {', '.join(sorted(fields))}.")
        return content

    def _check_origin(self, request: Request) -> None:
        """Refuse requests that a page of another site makes."""
        origin = request.headers.get("origin", "")
        own = {urlsplit(self._rules.address).netloc} if self._rules.address else set()
        own.add(request.headers.get("host", ""))
        fetched = request.headers.get("sec-fetch-site", "same-origin")
        if urlsplit(origin).netloc not in own - {""} or fetched != "same-origin":
            raise Refused(403, "Answers are taken from the pages of this server only.")

    async def _written(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.wrap_future(self._store.write(job))

    # ---- errors ----

    async def error(self, request: Request, error: Exception) -> Response:
        """A page in plain words, or for requests of our pages a sentence."""
        status = int(getattr(error, "status", 0) or getattr(error, "status_code", 500))
        texts = {404: "There is no such page.", 405: "This address cannot be used in this way."}
        reason = error.reason if isinstance(error, Refused) else texts.get(status)
        if reason is None:
            status = status if status < 500 else 503
            _LOG.error("%s", type(error).__name__, exc_info=error)
            reason = "The server could not do this. Your answers so far are kept; please try again."
        headers = dict(getattr(error, "headers", None) or {})
        if status == 429:
            headers["retry-after"] = "2"
        if request.method == "POST":
            return _json({"error": reason}, status, headers)
        titles = {429: "One moment, please", 503: "Please try again"}
        return _notice(titles.get(status, "This page cannot be shown"), [reason], status, headers)


def _csv_of(forms: Forms) -> str:
    """All answers so far, with the protection of our CSV files against formulas."""
    import tempfile
    from pathlib import Path

    from ...files import write_table

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "answers.csv")
        write_table(file, answers_of(forms, collected(forms.folder / ANSWERS)))
        return file.read_text(encoding="utf-8")


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def _no_number(text: str) -> float:
    raise ValueError(text)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(content, status, headers)


def _page(
    kind: str,
    data: Any,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    from starlette.responses import HTMLResponse

    made = served_page(kind, data, **context)
    policy = {"content-security-policy": made.policy}
    return HTMLResponse(made.html, status, {**(headers or {}), **policy})


def _notice(
    title: str, texts: list[str], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return _page("notice", {}, status, headers, title=title, texts=texts)
