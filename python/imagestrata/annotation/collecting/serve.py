"""Run the server of forms: in this process, or as a process of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import ImagestrataError
from ...extras import require
from ...lock import lock_folder
from ...validate import check_float, check_int
from ...verbs import public
from ...wording import arg, quote
from .folder import ANSWERS, Forms, find_export, read_forms
from .site import Rules, make_site
from .store import Store

#: How long a server may take to start, in seconds.
_START = 120
_PACKAGE = Path(__file__).parents[3]
#: Addresses without a user's name; the public one has no query either.
_RETURN = re.compile(r"https://[^\s\"'<>\\/@?#]+([/?][^\s\"'<>\\]*)?")
_PUBLIC = re.compile(r"https?://[^\s\"'<>\\/@?#]+(/[^\s\"'<>\\?#]*)?")


class FormServer:
    """A running server of forms, as :func:`serve_forms` returns it.

    As a context manager, it stops the server at the end of the block. The server also stops when
    this process ends.

    Attributes
    ----------
    folder : Path
        The folder of the forms.
    address : str
        The address of the server.
    links : dict of str to str
        The link for the annotators of each group; forms without groups have one link, "".
    researcher : str
        The address of the researcher's page. Keep it to yourself.
    """

    def __init__(self, process: subprocess.Popen[str], started: dict[str, Any]) -> None:
        self._process = process
        self.folder = Path(started["folder"])
        self.address: str = started["address"]
        self.links: dict[str, str] = started["links"]
        self.researcher: str = started["researcher"]

    @property
    def is_running(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Stop the server. All answers are kept, and it can be started again."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> FormServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self.is_running else "stopped"
        links = [f"  {group or 'annotators'}: {link}" for group, link in self.links.items()]
        mine = f"  progress, for you alone: {self.researcher}"
        return "\n".join([f"A server of forms ({state})", *links, mine])


class Choices(NamedTuple):
    """The checked arguments of :func:`serve_forms`."""

    folder: Path
    host: str
    port: int
    rules: Rules


@public
def serve_forms(
    folder: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    address: str | None = None,
    release_after: float = 60,
    completion_code: str | None = None,
    return_address: str | None = None,
) -> FormServer:
    """Hand out forms to annotators, and keep their answers.

    Starts a server in a process of its own. Every visitor of a group's link receives the next free
    packet of that group, or the pairs, and every answer is stored when it is given.

    Parameters
    ----------
    folder : path
        The folder that :func:`export_packets`, :func:`export_labels` or :func:`export_pairs`
        wrote with ``to="server"``, or a run folder that contains one.
    host : str, default "127.0.0.1"
        The network address of this machine at which the server listens. By default only browsers
        on this machine reach it, and a proxy on this machine. "0.0.0.0" lets all machines of
        the network reach it, for example in a laboratory; without HTTPS, others in that network
        can read along.
    port : int, default 8765
        The port; 0 chooses a free one.
    address : str, optional
        The public address, such as "https://study.example.org", if a proxy forwards it to
        this server. Links begin with it. By default that of ``host`` and ``port``.
    release_after : float, default 60
        Minutes without an answer after which a packet becomes free for others. Later answers of
        the person who had it are kept.
    completion_code : str, optional
        The code that every annotator sees at the end. By default each sees one of her own,
        which :func:`export_answers` lists.
    return_address : str, optional
        Address to return to at the end, which begins with ``https://``. In it, ``{id}``
        stands for the annotator's code or id, and ``{code}`` for the completion code.

    Returns
    -------
    FormServer
        ``.links`` has the link of each group, ``.researcher`` the address of the page with
        the progress, and ``.stop()`` stops the server.

    Raises
    ------
    ImagestrataError
        If the folder has no export for a server, the port is taken, another process serves the
        folder, or Starlette and uvicorn are not installed.

    Notes
    -----
    Answers are in ``answers.sqlite`` in the folder. An answer is acknowledged when it is on the
    disk; until then, the page keeps it in the browser and sends it again. Links contain random
    tokens, which are in ``secrets.json``. The server stores neither network addresses nor
    cookies, and sends neither ids nor names of images, packets and clusters, nor answers, to
    annotators. ``docs/collecting.md`` describes proxies with HTTPS, backups and data protection.

    See Also
    --------
    export_answers : the answers as a file that :func:`read_ratings`, :func:`read_labels` and
        :func:`read_pairs` read.
    """
    chosen = check_choices(
        folder, host, port, address, release_after, completion_code, return_address
    )
    command = [sys.executable, "-c", _CHILD, json.dumps(_sent(chosen))]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=_environment(),
        # Ctrl-C in this process must not end the server.
        start_new_session=True,
    )
    return FormServer(process, _started(process))


def _environment() -> dict[str, str]:
    """The environment of the process, in which it finds this package."""
    path = os.pathsep.join(filter(None, [str(_PACKAGE), os.environ.get("PYTHONPATH", "")]))
    made = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
    if "R_HOME" in made:  # R's own libraries come first there, and are the wrong ones for Python
        made.pop("LD_LIBRARY_PATH", None)
    return made


#: What the process of a server runs; it ends when its input ends, which the parent holds.
_CHILD = "import sys; from imagestrata.annotation.collecting.serve import child; child(sys.argv[1])"


def check_choices(
    folder: Any,
    host: Any = "127.0.0.1",
    port: Any = 8765,
    address: Any = None,
    release_after: Any = 60,
    completion_code: Any = None,
    return_address: Any = None,
) -> Choices:
    """The checked arguments of :func:`serve_forms`, in its order."""
    for module in ("starlette", "uvicorn"):
        require(module, "server", "The server of forms")
    place = find_export(folder)
    number = check_int("port", port, minimum=0, maximum=65535)
    minutes = check_float("release_after", release_after, minimum=1)
    if completion_code is not None and not (
        isinstance(completion_code, str) and re.fullmatch(r"[^\s]{1,80}", completion_code)
    ):
        raise ImagestrataError(
            f"{arg('completion_code')} must be text without spaces, not {quote(completion_code)}."
        )
    rules = Rules(
        60 * minutes,
        completion_code,
        _check_https(return_address),
        _check_public(address),
    )
    return Choices(place, _check_host(host), number, rules)


def _check_host(host: Any) -> str:
    """The checked address at which to listen."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ImagestrataError(
            f"{arg('host')} must be a network address of this machine, not {quote(host)}.",
            f"{arg('host', '127.0.0.1')} is for this machine, {arg('host', '0.0.0.0')} all.",
        ) from None


def _check_https(address: Any) -> str | None:
    if address is None:
        return None
    example = "https://app.example.org/complete?cc={code}"
    if not isinstance(address, str) or not _RETURN.fullmatch(address):
        raise ImagestrataError(
            f"{arg('return_address')} must be an address that begins with https://, not "
            f"{quote(address)}.",
            f"For example {arg('return_address', example)}.",
        )
    return address


def _check_public(address: Any) -> str | None:
    if address is None:
        return None
    if not isinstance(address, str) or not _PUBLIC.fullmatch(address):
        raise ImagestrataError(
            f"{arg('address')} must be the public address of this server, not {quote(address)}.",
            f"For example {arg('address', 'https://study.example.org')}.",
        )
    return address.rstrip("/")


def _sent(chosen: Choices) -> dict[str, Any]:
    """The choices as JSON for the process of the server."""
    return {
        "folder": os.fspath(chosen.folder.resolve()),
        "host": chosen.host,
        "port": chosen.port,
        "rules": chosen.rules._asdict(),
    }


def _started(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the process says when it listens; an error that it says is raised here."""
    assert process.stdout is not None
    timer = threading.Timer(_START, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        process.kill()
        process.wait()
        raise ImagestrataError("The server did not start.") from None
    if "error" in said:
        process.wait()
        raise ImagestrataError(said["error"], said["hint"])
    return said


def child(given: str) -> None:
    """Serve until the standard input ends, for :func:`serve_forms`."""
    sent = json.loads(given)
    chosen = Choices(Path(sent["folder"]), sent["host"], sent["port"], Rules(**sent["rules"]))

    def say(started: dict[str, Any]) -> None:
        print(json.dumps(started), flush=True)

    def ended() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass

    try:
        run_server(chosen, say, until=ended)
    except ImagestrataError as error:
        _, message, hint, _ = error.__reduce__()[1]
        say({"error": message, "hint": hint})


def run_server(
    chosen: Choices,
    say: Callable[[dict[str, Any]], None],
    until: Callable[[], None] | None = None,
) -> None:
    """Serve in this process until it is interrupted, or until a function returns.

    Parameters
    ----------
    chosen : Choices
    say : callable
        Receives the addresses once the server listens.
    until : callable, optional
    """
    uvicorn = require("uvicorn", "server", "The server of forms")
    forms = read_forms(chosen.folder)
    lock = lock_folder(chosen.folder)
    listening = _listen(chosen)
    port = listening.getsockname()[1]
    store = Store(chosen.folder / ANSWERS, forms.sheets.values())
    config = uvicorn.Config(
        make_site(forms, store, chosen.rules),
        # Neither addresses of visitors nor tokens in links are logged, and headers that claim
        # another address are not read.
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=2000,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    if until is not None:
        waiting = until

        def watch() -> None:
            waiting()
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
    try:
        say(addresses(chosen, forms, port))
        server.run(sockets=[listening])
    finally:
        store.close()
        listening.close()
        del lock


def _listen(chosen: Choices) -> socket.socket:
    """A socket that listens, or an error that says why there is none."""
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # a restarted server must not wait for old connections
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((chosen.host, chosen.port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ImagestrataError(
            f"The server cannot listen at {quote(chosen.host)}, port {chosen.port} "
            f"({error.strerror}).",
            f"Another program may use the port: choose another {arg('port')}, or "
            f"{arg('port', 0)} for any free one.",
        ) from None
    return listening


def addresses(chosen: Choices, forms: Forms, port: int) -> dict[str, Any]:
    """The address of the server, the links of the groups, and that of the researcher."""
    base = chosen.rules.address or f"http://{_reachable(chosen.host)}:{port}"
    return {
        "folder": os.fspath(chosen.folder),
        "address": base,
        "links": {group: f"{base}/r/{link}" for group, link in forms.links.items()},
        "researcher": f"{base}/w/{forms.researcher}/",
    }


def _reachable(host: str) -> str:
    """The host as part of an address: that of this machine in its network for all addresses."""
    if host in ("0.0.0.0", "::"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.connect(("192.0.2.1", 9))  # sends nothing; the system chooses an address
            return str(one.getsockname()[0])
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
