"""Two hundred raters at once on the server of forms, which is killed while they work.

Each rater works as the page does: she rates an image item by item at human pace, sends every click,
repeats what was not acknowledged, and takes another packet when hers is finished. The server is a
process of its own that is killed with SIGKILL and started again. In the end every
acknowledged answer must be in the database, and each once.

    python benchmarks/serving.py [--seconds 600] [--raters 200] [--kills 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from PIL import Image

from imagestrata import export_answers, export_packets, serve_forms

#: Images, items and packets of the study: more packets than raters can finish.
N_IMAGES, N_PER_PACKET = 120, 8
#: Seconds until a person has rated an item, and until she has looked at an image: lognormal with
#: these medians. A person needs about three minutes for a packet.
ITEM, LOOK, SPREAD = 1.8, 3.0, 0.45
GROUPS = ("Democrat", "Republican")


def packets_of(folder: Path, n_packets: int) -> pd.DataFrame:
    paths = []
    for number in range(N_IMAGES):
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        path = folder / f"{number:03d}.jpg"
        Image.fromarray(pixels).save(path)
        paths.append(str(path))
    rows = []
    for packet in range(n_packets):
        drawn = random.Random(packet).sample(range(N_IMAGES), N_PER_PACKET)
        for place, image in enumerate(drawn, start=1):
            group = GROUPS[packet % 2]
            rows.append((f"p{packet:04d}", group, place, f"i{image:03d}", image, paths[image]))
    columns = ["packet_id", "group", "position", "image_id", "cluster", "path"]
    return pd.DataFrame(rows, columns=columns)


class Line:
    """A connection that stays open, as that of a browser."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        try:
            # The server closes connections after some idle seconds, and a browser opens another.
            if self._writer is None or self._reader is None or self._reader.at_eof():
                self.close()
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            host = f"127.0.0.1:{self._port}"
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self._writer.write(head.encode() + body)
            await self._writer.drain()
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            content = await self._reader.readexactly(int(fields["content-length"]))
            return int(lines[0].split()[1]), content
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Study:
    """What all raters share: the links, and the record of what was acknowledged."""

    def __init__(self, port: int, links: list[str], end: float) -> None:
        self.port, self.links, self.end = port, links, end
        self.acknowledged: dict[str, tuple[str, str]] = {}
        self.times: list[float] = []
        self.repeated = 0
        self.people = 0
        self.finished = 0
        self.outages: list[float] = []

    async def rate(self, number: int) -> None:
        """One rater, who takes packet after packet until the time is over."""
        chance = random.Random(number)
        line = Line(self.port)
        await asyncio.sleep(chance.uniform(0, 10))
        while time.monotonic() < self.end:
            self.people += 1
            await self._packet(line, chance, f"R{number:03d}x{self.people:05d}")
        line.close()

    async def _packet(self, line: Line, chance: random.Random, code: str) -> None:
        def pause(median: float) -> float:
            return median * chance.lognormvariate(0, SPREAD)

        link = chance.choice(self.links)
        asked = json.dumps({"id": code, "code": None}).encode()
        begun = json.loads(await self._insist(line, "POST", f"{link}/begin", asked))
        own = begun["go"].removeprefix("..")
        page = (await self._insist(line, "GET", own)).decode()
        data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
        items = data["items"]
        sent = 0
        for picture, image in zip(data["pictures"], data["images"], strict=True):
            await self._insist(line, "GET", own + picture)
            await asyncio.sleep(pause(LOOK))
            ratings: dict[str, int] = {}
            for item in items:
                await asyncio.sleep(pause(ITEM))
                if time.monotonic() > self.end:
                    return
                ratings[item] = chance.randint(0, 10)
                value = {"ratings": ratings, "skipped": False, "seconds": 20, "order": items}
                sent += 1
                sequence = f"{code.lower()}-{sent:05d}"
                given = {"sequence": sequence, "task": image, "value": value}
                left = await self._store(line, own, code, given)
        self.finished += left == 0

    async def _store(self, line: Line, own: str, code: str, given: dict[str, Any]) -> int:
        """Send an answer until it is acknowledged; only the first attempt is timed."""
        body = json.dumps(given).encode()
        start = time.perf_counter()
        first, wait = True, 1.0
        while True:
            try:
                status, content = await line.ask("POST", f"{own}answers", body)
                assert status == 200, (status, content)
                break
            except (OSError, asyncio.IncompleteReadError):
                self.repeated += first
                first = False
                await asyncio.sleep(wait * random.uniform(0.5, 1))
                wait = min(2 * wait, 30.0)
        took = time.perf_counter() - start
        (self.times if first else self.outages).append(took)
        value = json.dumps(given["value"], ensure_ascii=False, sort_keys=True)
        self.acknowledged[given["sequence"]] = (code, value)
        return int(json.loads(content)["left"])

    async def _insist(self, line: Line, method: str, path: str, body: bytes = b"") -> bytes:
        while True:
            try:
                status, content = await line.ask(method, path, body)
                assert status == 200, (status, path, content)
                return content
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(1)


async def run(folder: Path, seconds: float, n_raters: int, n_kills: int) -> Study:
    server = await asyncio.to_thread(serve_forms, folder, port=0)
    port = int(server.address.rpartition(":")[2])
    links = [link.removeprefix(server.address) for link in server.links.values()]
    study = Study(port, links, time.monotonic() + seconds)
    raters = [asyncio.create_task(study.rate(number)) for number in range(n_raters)]
    for number in range(n_kills):
        await asyncio.sleep(seconds / (n_kills + 1))
        os.kill(server._process.pid, signal.SIGKILL)
        await asyncio.to_thread(server._process.wait)
        server = await asyncio.to_thread(serve_forms, folder, port=port)
        print(f"killed and started again ({number + 1} of {n_kills})", flush=True)
    await asyncio.gather(*raters)
    os.kill(server._process.pid, signal.SIGKILL)
    await asyncio.to_thread(server._process.wait)
    return study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=sized(20, 120, 600))
    parser.add_argument("--raters", type=int, default=sized(10, 200))
    parser.add_argument("--kills", type=int, default=sized(1, 3))
    parser.add_argument("--note", default="", help="how busy the machine was")
    arguments = parser.parse_args()
    load = [os.getloadavg()[0]]
    with TemporaryDirectory() as place:
        (Path(place) / "images").mkdir()
        n_packets = int(arguments.raters * (6 + arguments.seconds / 60))
        packets = packets_of(Path(place) / "images", n_packets)
        folder = export_packets(
            packets, Path(place) / "forms", to="server", thumbnail=80, progress=False
        )
        study = asyncio.run(run(folder, arguments.seconds, arguments.raters, arguments.kills))
        load.append(os.getloadavg()[0])
        with sqlite3.connect(folder / "answers.sqlite") as connection:
            stored = connection.execute(
                "SELECT sequence, code, value FROM answer JOIN person ON person.id = person"
            ).fetchall()
        table = pd.read_csv(export_answers(folder, Path(place) / "answers.csv"))
    known = {sequence: (code, value) for sequence, code, value in stored}
    lost = sum(known.get(one) != given for one, given in study.acknowledged.items())
    # An answer may be stored whose acknowledgement did not arrive; it is repeated, and stays one.
    doubled = len(stored) - len(known) + len(known.keys() - study.acknowledged.keys())
    given = table.dropna(subset="rating").duplicated(["respondent_id", "image_id", "item"]).sum()
    times = 1000 * np.array(study.times)
    row = {
        "raters at once": arguments.raters,
        "seconds": f"{arguments.seconds:g}",
        "answers": f"{len(study.acknowledged):,}",
        "a second": f"{len(study.acknowledged) / arguments.seconds:.0f}",
        "packets finished": study.finished,
        "stored within (ms), median": f"{np.median(times):.1f}",
        "99%": f"{np.quantile(times, 0.99):.1f}",
        "99.9%": f"{np.quantile(times, 0.999):.0f}",
        "longest": f"{times.max():.0f}",
        "kill -9": arguments.kills,
        "repeated after a kill": study.repeated,
        "lost": lost,
        "doubled": doubled + int(given),
    }
    longest = max(study.outages, default=0)
    notes = [
        "Times are those of a client, from sending an answer to its acknowledgement, on the same "
        "machine as the server and all raters. Answers that met a killed server are repeated as "
        f"the page does and are not among them; the longest of these took {longest:.0f} s, most of "
        "which the server needs to start.",
        f"Load average of the machine before and after: {load[0]:.1f} and {load[1]:.1f}. "
        f"{arguments.note}".strip(),
    ]
    title = "The server of forms: raters at human pace, and kill -9"
    write_result("serving", [row], notes=notes, title=title)


if __name__ == "__main__":
    main()
