"""Packets as a survey for Qualtrics, with a block that is looped over the images of a packet."""

from __future__ import annotations

import html
from functools import partial
from urllib.parse import urlencode

import pandas as pd

from ...errors import ImagestrataError, plural
from ...files import write_table, write_text
from ...wording import arg
from ..form import Files, Form, Pictures


def files(form: Form, pictures: Pictures) -> Files:
    """The survey, its loop, the packets as embedded data, and instructions for manual steps."""
    for name, text in [("question", form.question), ("warning", form.warning or "")]:
        if "[[" in text:
            raise ImagestrataError(f"{arg(name)} must not contain '[[', which Qualtrics reserves.")
    address = next(iter(pictures.addresses.values())).rsplit("/", 1)[0]
    sizes = form.tasks.groupby(form.sheets).size()
    places = range(1, int(sizes.max()) + 1)
    # Qualtrics reads both tables; a protection against formulas would become part of the ids.
    return {
        "survey.txt": partial(write_text, text=_survey(form, address, places)),
        "loop-and-merge.csv": partial(write_table, table=_loop(address, places), exact=True),
        "packets.csv": partial(write_table, table=_wide(form.tasks), exact=True),
        "how-to.txt": partial(
            write_text, text=_how_to(address, len(places), uneven=sizes.nunique() > 1)
        ),
    }


def _wide(packets: pd.DataFrame) -> pd.DataFrame:
    """One row per packet: its embedded data, also as the parameters of a link."""
    rows = []
    for packet_id, packet in packets.groupby("packet_id", sort=False):
        fields = {"packet_id": packet_id, "group": packet["group"].iloc[0]}
        places = zip(packet["position"], packet["image_id"], strict=True)
        fields |= {f"image_{place}": image for place, image in places}
        rows.append(fields | {"parameters": urlencode(fields)})
    table = pd.DataFrame(rows).fillna("")
    return table[[name for name in table if name != "parameters"] + ["parameters"]]


def _loop(address: str, places: range) -> pd.DataFrame:
    ids = [f"${{e://Field/image_{place}}}" for place in places]
    return pd.DataFrame({"Field 1": ids, "Field 2": [f"{address}/{name}.jpg" for name in ids]})


def _survey(form: Form, address: str, places: range) -> str:
    """The survey in Advanced Format; choices and answers have the numbers of the data."""
    start = [f"You will see {plural(len(places), 'image')}, one after the other."]
    if form.warning:
        start.insert(0, f"<strong>{_one_line(form.warning)}</strong>")
    image = (
        f'<img src="{address}/${{lm://Field/1}}.jpg" alt="The image to rate" '
        'style="display: block; max-width: 100%; max-height: 60vh; margin: 0 auto 16px">'
    )
    lines = [
        "[[AdvancedFormat]]",
        "",
        *(f"[[ED:{name}]]" for name in ("packet_id", "group")),
        *(f"[[ED:image_{place}]]" for place in places),
        "",
        "[[Block:Start]]",
        "",
        "[[Question:DB]]",
        "[[ID:start]]",
        "<br><br>".join(start),
        "",
        "[[Block:Images]]",
        "",
        "[[Question:Matrix]]",
        "[[ID:rating]]",
        f"{image}{_one_line(f'{form.question} ({form.note})')}",
        "[[AdvancedChoices]]",
    ]
    for number, item in enumerate(form.fields, start=1):
        lines += [f"[[Choice:{number}]]", _one_line(item)]
    lines.append("[[AdvancedAnswers]]")
    for value in next(iter(form.fields.values())) or ():
        lines += [f"[[Answer:{value}]]", str(value)]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Text as one line of HTML, the format of questions."""
    return "<br>".join(html.escape(text, quote=False).splitlines())


def _how_to(address: str, n_places: int, *, uneven: bool) -> str:
    steps = [
        f"Upload the files of the folder `images` to {address}/ and open one of these addresses "
        "in a browser to see that it works.",
        "In Qualtrics: create a survey from a file, `survey.txt`.",
        f"Block `Images`: turn on Loop & Merge with {n_places} loops and two fields, and copy the "
        "two columns of `loop-and-merge.csv` into them. Do not randomise the loops: the order of "
        "images in a packet is random already.",
        "Question `rating`: randomise the order of its statements. Do not force answers, so that "
        "an image can be skipped; at most request them.",
        "Give each respondent a packet of the right group, each packet once: either import "
        "`packets.csv` with your contacts as embedded data, or append the column `parameters` to "
        "the survey's link (https://...?packet_id=p001&...).",
        "Preview the survey with one packet's parameters before you distribute it.",
        "Export the data as CSV and read it in R with read_ratings(). Numbers or texts of "
        "answers: both are the ratings themselves.",
    ]
    if uneven:
        steps.insert(
            4,
            f"Some packets have fewer than {plural(n_places, 'image')}: give the question `rating` "
            "the display logic that Loop & Merge field 1 is not empty.",
        )
    numbered = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    return "A survey for Qualtrics, in steps\n\n" + "\n".join(numbered) + "\n"
