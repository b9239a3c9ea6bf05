"""No image, however broken or malicious, crashes, hangs, or eats the memory.

``IMAGESTRATA_MUTATIONS`` is how many mutated images are decoded: 2,000 by default,
100,000 in ``benchmarks/fuzz.py``.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import fuzz as watched
from fuzz import MEMORY, fuzz, mutation, originals
from images import bomb, encode, picture
from imagestrata.corpus.decode import MAX_PIXELS, open_image
from imagestrata.corpus.reasons import Reason

MUTATIONS = int(os.environ.get("IMAGESTRATA_MUTATIONS", "2000"))
SEED = 9


def test_originals_are_read():
    """Else their mutations would say nothing."""
    for name, data in originals().items():
        assert open_image(data).mode == "RGB", name


def test_mutated_images_do_no_harm():
    found = fuzz(MUTATIONS, SEED)
    assert found.wrong == []
    assert sum(found.outcomes.values()) == MUTATIONS
    assert found.memory < MEMORY, f"{found.memory / 2**20:.0f} MiB"
    # Mutations get past the first look, and not all of them through.
    assert found.outcomes["read"] > 0.1 * MUTATIONS
    assert found.outcomes[Reason.DAMAGED] > 0.1 * MUTATIONS
    assert found.outcomes[Reason.TOO_MANY_PIXELS] > 0


def test_a_mutation_follows_from_its_number():
    assert mutation(7, 1) == mutation(7, 1) != mutation(7, 2)


def test_harm_is_noticed(monkeypatch, tmp_path):
    """A process that dies, hangs or errs is told with the number of the mutation."""
    code = Path(watched.__file__).read_text(encoding="utf-8")
    decoding = "                image = open_image(data"
    assert decoding in code and "HANG = 10" in code
    harm = (
        "                if number == 3: import os; os.abort()\n"
        "                if number == 5: 1 / 0\n"
        "                while number == 8: pass\n"
    )
    broken = tmp_path / "fuzz.py"
    broken.write_text(code.replace("HANG = 10", "HANG = 0.3").replace(decoding, harm + decoding))
    monkeypatch.setattr(watched, "__file__", str(broken))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    said = dict(watched.fuzz(12, SEED).wrong)
    assert set(said) == {3, 5, 8}
    assert "died" in said[3] and "ZeroDivisionError" in said[5] and said[8] == "hangs"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs() -> dict[str, bytes]:
    """Small files that would unfold to gigabytes, each in the way of its format."""
    tiff = bytearray(encode(picture(0), "TIFF"))
    n_tags = int.from_bytes(tiff[8:10], "little") if tiff[4:8] == b"\x08\0\0\0" else 0
    assert n_tags
    for i in range(n_tags):
        at = 10 + 12 * i
        if int.from_bytes(tiff[at : at + 2], "little") in (256, 257):
            tiff[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 100_000)
    gif = bytearray(encode(picture(0), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    jpeg = bytearray(encode(picture(0), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"
    bmp = bytearray(encode(picture(0), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    png = encode(picture(0))
    texts = b"".join(chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(bytes(2**26))) for i in range(4))
    return {
        "png": bomb(),
        "png rows": bomb(16_000),
        "png text": png[:33] + texts + png[33:],
        "tiff": bytes(tiff),
        "gif": bytes(gif),
        "jpeg": bytes(jpeg),
        "bmp": bytes(bmp),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by `resource`")
def test_bombs_are_stopped_before_they_unfold(tmp_path):
    """In a process of their own, whose memory is looked at afterwards."""
    for name, data in bombs().items():
        (tmp_path / f"{name}.{name.split()[0]}").write_bytes(data)
    (tmp_path / "fine.png").write_bytes(encode(picture(1)))
    code = (
        "import json, resource, sys; from imagestrata import scan_images\n"
        "scan_images([sys.argv[2]], progress=False)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "table = scan_images(sys.argv[1], progress=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        "why = table['reason'].astype(object).where(table['reason'].notna(), None)\n"
        "names = table['path'].map(lambda path: path.split('/')[-1])\n"
        "print(json.dumps(dict(zip(names, why))))\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "fine.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    grown, reasons = done.stdout.splitlines()
    assert int(grown) * 1024 < 300 * 2**20, f"{int(grown) / 1024:.0f} MiB"
    stopped = json.loads(reasons)
    assert stopped.pop("fine.png") is None
    assert stopped.pop("png text.png") in (None, Reason.DAMAGED)  # texts are left unread
    assert len(stopped) == 6 and set(stopped.values()) == {Reason.TOO_MANY_PIXELS}


def test_the_limit_is_the_one_that_is_stated():
    assert MAX_PIXELS == 250_000_000
