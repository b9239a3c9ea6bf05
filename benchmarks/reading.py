"""How much of the text in images read_text() finds, and how much it makes up.

Posters, memes and screenshots are drawn from known words; the memes stand on photographs, and
photographs alone show what is made up. These are from ``caltech101-unbalanced.tar`` in
``../shared/data``, which is no part of the project. Words with accents show which languages
RapidOCR reads.

    python benchmarks/reading.py [--images 16] [--photographs 300] [--seed b]
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from machine import photographs, sized, write_result
from PIL import Image, ImageDraw, ImageFont

from imagestrata import read_text, scan_images
from imagestrata.finetune.scores import wilson
from imagestrata.text import rapidocr
from imagestrata.text.words import NO_TEXT

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FACES = ("DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif-Bold", "DejaVuSerif", "DejaVuSansMono")
WORDS = """
    action again against alive all border bread bring bus change children city climate council
    eight equal families flag food free freedom friends future green hall hate health here history
    home hope house human jobs justice land law lives love march matters meeting music neighbours
    never night open parents peace people planet power press public rent rights roses school
    silent square stop street strike system today tonight transport truth union united vote war
    water welcome women work world
""".split()  # noqa: SIM905 - a list of eighty strings is no better to read
OUR_SPACE = rapidocr._SPACE
KINDS = ("poster", "meme", "screenshot")
TESSERACT: dict[str, Any] = {"reader": "tesseract"}
SETTINGS: dict[str, dict[str, Any]] = {
    "RapidOCR": {},
    "RapidOCR, min_confidence=0": {"min_confidence": 0},
    "RapidOCR, min_confidence=0.6": {"min_confidence": 0.6},
    "RapidOCR, min_confidence=0.9": {"min_confidence": 0.9},
    "RapidOCR without our spaces": {},
    "Tesseract": TESSERACT,
    "Tesseract, min_confidence=0": TESSERACT | {"min_confidence": 0},
    "Tesseract, not enlarged": TESSERACT | {"side": 100},
    "Tesseract, side=1500": TESSERACT | {"side": 1500},
    "Tesseract, white_text=False": TESSERACT | {"white_text": False},
    "Tesseract, psm=11": TESSERACT | {"psm": 11},
}
#: Words in which accents are far more frequent than usual, by Tesseract's codes.
ACCENTED = {
    "deu": "für größere häuser schöne straßen über köln müssen kämpfen übermut äpfel öl grüße",
    "fra": "ça être très âgé garçon où forêt élève français août noël goût à é mères",
    "spa": "niño comió piñas mañana corazón ávila pingüino años acción sí ñandú único país",
    "por": "são joão coração avô não manhã você três água ações português põe à é",
    "ita": "perché città è più così università però può là virtù qualità",
    "nld": "vrijheid ideeën één voor coördinatie geïnteresseerd reünie samen vóór rechten hè",
    "swe": "åka över fjället på våren nästa år för självständighet öland räksmörgås",
    "dan": "rød grød fløde på øen århus æbler østersøen blå gæst",
    "nor": "blåbærsyltetøy på øya ærlig kjærlighet måned søndag gå",
    "fin": "yötä päivää hyvää syntymäpäivää åbo älä mökki työväen äänestä",
    "isl": "þjóðin á ströndinni ísland ætti að öðruvísi þér úti býr",
    "pol": "łódź żółć gęś źdźbło ćma ślub ąę święto głosuj wolność ręka",
    "ces": "příliš žluťoučký kůň úpěl ďábelské ódy šťastný řeka čech mír svoboda ňadra",
    "slk": "ľudia majú právo žiť mieri ôsmy šťava vŕba môže ďakujem",
    "slv": "človek živi življenje čaša šest žena pravičnost šola",
    "hrv": "čovjek đak šuma žaba ćevapi đuro pravda želja tišina",
    "hun": "árvíztűrő tükörfúrógép ősz győzelem szabadság óbuda üröm éjjel",
    "ron": "fără ștampilă țară înainte mâine școală bucurești țigări știri așa",
    "tur": "istanbul güneşli çağ ağıt türkiye özgürlük barış ışık çocuklar şehir",
    "lav": "rīga ļaudis ģimene šķērslis ņemt ķirsis ēst ūdens brīvība āda",
    "lit": "žmonės ąžuolas šalis ūžti laisvė lietuvą čia žinoti kęstis",
    "est": "õhtul öö ülikool äär eesti jõgi õnn vabadus põhja šokk žanr",
    "vie": "tự do hạnh phúc người việt nam đường phố hà nội được những quyền",
    "cat": "català plaça això perquè ofès úter núria qüestió",
    "eus": "askatasuna herria gaztetxe etxea ikurriña",
    "glg": "cidadán mañá ningún xustiza auga pingüín",
    "cym": "cymru heddwch ŵyn tŷ dŵr llaeth gŵr rhyddid",
    "gle": "éire saoirse síocháin óige úll fáilte dáil",
    "sqi": "shqipëri çdo njerëz liri ëndërr çmim",
    "mlt": "ħelsien ġens ċavetta żgħażagħ għajn ħobż ġermanja",
    "aze": "azərbaycan gözəl iğid şəhər çörək ölkə",
    "afr": "vryheid môre reënboog sê wêreld",
    "swa": "uhuru amani kwa watu wote haki sawa",
    "ind": "keadilan untuk semua rakyat merdeka",
    "tgl": "kalayaan katarungan para sa lahat",
    "lat": "libertas iustitia omnibus civibus",
    "oci": "libertat patz totes los òmes çò viu",
    "ltz": "fräiheet fir all mënsch lëtzebuerg schéi",
    "mri": "mā te wā tāngata whenua rōpū kāinga",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(1, 12))
    parser.add_argument("--photographs", type=int, default=sized(5, 60))
    parser.add_argument("--seed", default="b", help="of the drawings; settings were chosen with a")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photographs = unpack(Path(folder), 2 * arguments.images + arguments.photographs)
        grounds, rest = photographs[: arguments.images], photographs[arguments.images :]
        few = rest[: arguments.images]
        drawn = draw(Path(folder) / "drawn", grounds, arguments.seed)
        rows = [measure(name, given, drawn, few) for name, given in SETTINGS.items()]
        many = rest[arguments.images :]
        made_up = [look_at_photographs(many, reader) for reader in ("rapidocr", "tesseract")]
        languages = [measure_language(Path(folder), *one) for one in ACCENTED.items()]
    write_result(
        "reading",
        rows,
        notes=[
            f"{arguments.images} drawn images of each kind, and as many photographs: shares of the "
            "words that are found (recall) and of the found ones that are right (precision).",
            "seconds: of one core, for one image.",
        ],
        title="Reading text in images",
    )
    write_result(
        "reading_photographs",
        made_up,
        notes=["Further photographs: in how many a reader finds text; seconds of one core."],
        title="Text that is read in photographs",
    )
    write_result(
        "reading_languages",
        languages,
        notes=[
            "Words with more accents than usual, in lower case and in capitals, black on white or "
            "yellow, in four typefaces: the share that RapidOCR reads with every accent right. "
            "Upper and lower case do not differ.",
        ],
        title="Languages that RapidOCR reads",
    )


def measure(
    name: str, given: dict[str, Any], drawn: pd.DataFrame, photographs: list[str]
) -> dict[str, Any]:
    """A row of the table."""
    row: dict[str, Any] = {"setting": name}
    rapidocr._SPACE = 2 if "without our spaces" in name else OUR_SPACE  # never, or as shipped
    rapidocr._loaded.clear()
    for kind in KINDS:
        ones = drawn[drawn["kind"] == kind]
        texts, seconds = read(ones["path"].tolist(), given)
        right = found = 0
        for true, text in zip(ones["words"], texts["text"].fillna(""), strict=True):
            words = Counter(re.findall(r"[a-z0-9]+", text.lower()))
            right += (Counter(true) & words).total()
            found += words.total()
        row[f"{kind} recall"] = f"{right / ones['words'].map(len).sum():.2f}"
        row[f"{kind} precision"] = f"{right / max(found, 1):.2f}"
        row[f"{kind} seconds"] = f"{seconds:.1f}"
    texts, seconds = read(photographs, given)
    row["photographs with text"] = f"{texts['text'].notna().mean():.2f}"
    row["photograph seconds"] = f"{seconds:.1f}"
    print(row, file=sys.stderr)
    return row


def look_at_photographs(paths: list[str], reader: str) -> dict[str, Any]:
    """What is "read" in photographs with the default settings."""
    texts, seconds = read(paths, {"reader": reader})
    some = int(texts["text"].notna().sum())
    low, high = wilson(some, len(texts))
    assert (texts["reason"].dropna() == NO_TEXT).all()
    return {
        "reader": reader,
        "photographs": len(texts),
        "with text": some,
        "conf_low": round(low, 3),
        "conf_high": round(high, 3),
        "share of the area": round(float(texts["share_text"].mean()), 4),
        "seconds": round(seconds, 2),
    }


def measure_language(folder: Path, code: str, text: str) -> dict[str, Any]:
    """A row of the table of languages."""
    right = total = 0
    reads = rapidocr.RapidOCR(("eng",), 0.8)
    for number in range(8):
        rng = random.Random(f"{code} {number}")
        words = rng.sample(text.split(), len(text.split()))
        picture = Image.new("RGB", (640, 480), rng.choice(["white", "#fadc3c"]))
        font = typeface(rng.choice(FACES[:4]), rng.choice([18, 26, 36]))
        lines = [words[start : start + 4] for start in range(0, len(words), 4)]
        upper = number % 2 == 1
        written = write(picture, lines, font, "black", upper=upper)
        true = Counter(word.upper().lower() if upper else word for word in written)  # ß is SS
        found = Counter(word.text.lower() for word in reads.read(picture)[0])
        right += (true & found).total()
        total += true.total()
    row = {"language": code, "words": total, "share read": f"{right / total:.2f}"}
    print(row, file=sys.stderr)
    return row


def read(paths: list[str], given: dict[str, Any]) -> tuple[pd.DataFrame, float]:
    """Texts in the order of the paths, and seconds of one core per image."""
    images = scan_images(paths, progress=False)
    started = processor_seconds()
    texts = read_text(images, progress=False, **given)
    seconds = (processor_seconds() - started) / len(texts)
    return texts.set_index("path").loc[[p for p in paths if p in {*texts["path"]}]], seconds


def processor_seconds() -> float:
    """What this process and Tesseract have used, whatever else the machine is doing."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def unpack(folder: Path, n: int) -> list[str]:
    """Photographs, in an order that has nothing to do with their classes."""
    photographs(folder)
    # One of each content: scan_images() drops copies.
    images = scan_images(folder / "images", progress=False)
    paths = sorted(images.loc[images["status"] == "ok", "path"])
    random.Random(3).shuffle(paths)
    return paths[:n]


def draw(folder: Path, grounds: list[str], seed: str) -> pd.DataFrame:
    """Posters, memes and screenshots with their words."""
    folder.mkdir()
    rows = []
    for kind in KINDS:
        for number, ground in enumerate(grounds):
            rng = random.Random(f"{kind} {number} {seed}")
            picture, words = globals()[f"draw_{kind}"](rng, ground)
            path = folder / f"{kind}-{number}.png"
            picture.save(path)
            rows.append({"kind": kind, "path": str(path), "words": words})
    return pd.DataFrame(rows)


def draw_poster(rng: random.Random, ground: str) -> tuple[Image.Image, list[str]]:
    """Capitals of one typeface in the middle of a ground of one colour."""
    width, height = rng.choice([(600, 800), (400, 560), (300, 420)])
    colour, ink = rng.choice(
        [("white", "black"), ("#141e50", "white"), ("#c81e1e", "white"), ("#fadc3c", "black")]
    )
    picture = Image.new("RGB", (width, height), colour)
    lines = [rng.sample(WORDS, rng.randint(1, 3)) for _ in range(rng.randint(3, 7))]
    size = int(rng.uniform(0.05, 0.1) * height)
    return picture, write(picture, lines, typeface(rng.choice(FACES), size), ink, upper=True)


def draw_meme(rng: random.Random, ground: str) -> tuple[Image.Image, list[str]]:
    """White capitals with a black rim, above and below on a photograph."""
    width, height = rng.choice([(500, 400), (320, 240), (640, 480)])
    picture = Image.open(ground).convert("RGB").resize((width, height))
    font = typeface(FACES[0], int(0.085 * height))
    said = []
    for y in (0.04 * height, 0.84 * height):
        said += write(picture, [rng.sample(WORDS, 3)], font, "white", upper=True, top=y, rim=True)
    return picture, said


def draw_screenshot(rng: random.Random, ground: str) -> tuple[Image.Image, list[str]]:
    """Lines of small letters."""
    width, height = rng.choice([(360, 640), (480, 320), (720, 540)])
    colour, ink = rng.choice([("white", "black"), ("#191919", "white")])
    picture = Image.new("RGB", (width, height), colour)
    lines = [rng.sample(WORDS, 6) for _ in range(rng.randint(6, 12))]
    font = typeface(rng.choice(FACES), max(9, int(rng.choice([0.022, 0.03]) * height)))
    return picture, write(picture, lines, font, ink)


def write(
    picture: Image.Image,
    lines: list[list[str]],
    font: ImageFont.FreeTypeFont,
    ink: str,
    *,
    upper: bool = False,
    top: float = 10,
    rim: bool = False,
) -> list[str]:
    """Write as many words of each line, and lines, as there is room for; these words."""
    pen = ImageDraw.Draw(picture)
    said = []
    for line in lines:
        words = list(line)
        while font.getlength(" ".join(words).upper()) > 0.94 * picture.width:
            words.pop()
        text = " ".join(words)
        text = text.upper() if upper else text
        x = (picture.width - font.getlength(text)) / 2
        if words and top + 1.2 * font.size <= picture.height:
            stroke = max(1, int(font.size / 14)) if rim else 0
            pen.text((x, top), text, font=font, fill=ink, stroke_width=stroke, stroke_fill="black")
            said += words
        top += 1.45 * font.size
    return said


def typeface(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{name}.ttf"), size)


if __name__ == "__main__":
    main()
