"""Pairs on their way to annotators and back: page, tables, Label Studio."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clusterings import content_id, draw_images
from imagestrata import ImagestrataError, consensus, export_pairs, read_pairs
from imagestrata.sampling.pairs import draw_pairs
from pages import begin, downloaded, expect_soon, wait_until

CLUSTERS = [1, 1, 1, 2, 2, 2]


@pytest.fixture
def pairs(tmp_path) -> pd.DataFrame:
    paths = draw_images(tmp_path / "images", CLUSTERS)
    ids = [content_id(path, i) for i, path in enumerate(paths)]
    images = pd.DataFrame({"image_id": ids, "path": paths})
    return draw_pairs(images, np.array(CLUSTERS), 6, 0.5, np.random.default_rng(0))


def export(pairs: pd.DataFrame, out: Path, **arguments: Any) -> Path:
    return export_pairs(pairs, out, progress=False, **arguments)


def data_of(page: Path) -> dict[str, Any]:
    block = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def answers(pairs: pd.DataFrame, annotator: str | None = "anna", **columns: Any) -> pd.DataFrame:
    same = (pairs["stratum"] == "within").astype(int)
    table = pairs[["pair_id"]].assign(judgement=same)
    table = table if annotator is None else table.assign(annotator=annotator)
    return table.assign(**columns)


def stored(folder: Path, name: str, table: pd.DataFrame, **how: Any) -> Path:
    table.to_csv(folder / name, index=False, **how)
    return folder / name


# ---- out ----


def test_the_page_holds_every_image_once(pairs, tmp_path):
    page = export(pairs, tmp_path / "pairs.html", thumbnail=40)
    data = data_of(page)
    assert sorted(data["images"]) == sorted({*pairs["image_a"], *pairs["image_b"]})
    assert [(pair, data["images"][a], data["images"][b]) for pair, a, b in data["pairs"]] == list(
        zip(pairs["pair_id"], pairs["image_a"], pairs["image_b"], strict=True)
    )
    paths = dict(zip(pairs["image_a"], pairs["path_a"], strict=True))
    for image, address in zip(data["images"], data["pictures"], strict=True):
        header, content = address.split(",")
        assert header == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert max(picture.size) == 40
            if image in paths:
                with Image.open(paths[image]) as original:
                    colour = original.convert("RGB").getpixel((40, 40))
                assert np.abs(np.subtract(picture.getpixel((20, 15)), colour)).max() < 12
    # Annotators do not see what the design says of a pair.
    assert not {"within", "between", "probability"} & set(json.dumps(data).split('"'))
    assert str(tmp_path) not in page.read_text()


def test_tables_and_tasks(pairs, tmp_path):
    table = pd.read_csv(export(pairs, tmp_path / "pairs.csv", to="csv"), dtype=str)
    assert table["pair_id"].tolist() == pairs["pair_id"].tolist()
    assert table["path_a"].tolist() == pairs["path_a"].tolist()
    assert table[["annotator", "judgement"]].isna().all(axis=None)

    tasks = export(pairs, tmp_path / "tasks.json", to="labelstudio", base_url="https://x/y/")
    first = json.loads(tasks.read_text())[0]["data"]
    assert first == {
        "pair_id": pairs["pair_id"][0],
        "image_a": pairs["image_a"][0],
        "image_b": pairs["image_b"][0],
        "left": f"https://x/y/{Path(pairs['path_a'][0]).name}",
        "right": f"https://x/y/{Path(pairs['path_b'][0]).name}",
    }
    alone = export(pairs, tmp_path / "alone.json", to="labelstudio", thumbnail=40)
    assert json.loads(alone.read_text())[0]["data"]["left"].startswith("data:image/jpeg")
    web = export(pairs, tmp_path / "web.csv", to="csv", base_url="https://x")
    assert pd.read_csv(web)["url_b"][0] == f"https://x/{Path(pairs['path_b'][0]).name}"


@pytest.mark.parametrize(("graded", "words"), [(False, 2), (True, 3)])
def test_the_labelling_configuration_is_proper(pairs, tmp_path, graded, words):
    given = {"graded": graded, "questions": 'Same "topic" & <kind>?', "warning": "<b>"}
    export(pairs, tmp_path / "t.json", to="labelstudio", base_url="https://x", **given)
    view = ElementTree.parse(tmp_path / "t-config.xml").getroot()
    texts = [header.get("value") for header in view.iter("Header")]
    assert texts == [given["warning"], given["questions"]]
    assert [image.get("name") for image in view.iter("Image")] == ["left", "right"]
    choices = view.find("Choices")
    assert choices.get("name") == "judgement"
    assert [choice.get("hotkey") for choice in choices] == [str(i) for i in range(words)]


def test_what_nobody_is_to_see_and_what_cannot_be_shown(pairs, tmp_path):
    hidden = pairs["image_a"][0]
    page = export(pairs, tmp_path / "a.html", exclude=[hidden])
    kept = pairs[(pairs["image_a"] != hidden) & (pairs["image_b"] != hidden)]
    assert hidden not in page.read_text()
    assert [pair for pair, *_ in data_of(page)["pairs"]] == kept["pair_id"].tolist()

    gone = pairs["path_b"][0]
    Path(gone).unlink()
    touched = ((pairs["path_a"] == gone) | (pairs["path_b"] == gone)).sum()
    with pytest.warns(
        UserWarning, match=f"{touched} of 6 pairs are left out: 1 of [0-9]+ images"
    ) as caught:
        page = export(pairs, tmp_path / "b.html")
    assert "file not found" in str(caught[0].message)
    assert len(data_of(page)["pairs"]) == 6 - touched
    with pytest.raises(ImagestrataError, match="All pairs \\(6\\) have an excluded image"):
        export(pairs, tmp_path / "c.html", exclude=pairs["image_a"].tolist())
    n = pd.unique(pairs[["image_a", "image_b"]].to_numpy().ravel()).size
    with pytest.raises(
        ImagestrataError, match=rf"6 of 6 pairs are left out: {n} of {n} images .*no file known"
    ):
        export(pairs.assign(path_a=None, path_b=None), tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()


def test_mistakes_on_the_way_out(pairs, tmp_path):
    page = export(pairs, tmp_path / "new" / "pairs.html")
    with pytest.raises(ImagestrataError, match="exists already and may contain answers"):
        export(pairs, page)
    assert export(pairs, page, overwrite=True) == page
    with pytest.raises(ImagestrataError, match=r"ends in '\.csv' for the format 'csv'"):
        export(pairs, tmp_path / "pairs.html", to="csv")
    with pytest.raises(ImagestrataError, match='to="qualtrics" is only for packets'):
        export(pairs, tmp_path / "p.txt", to="qualtrics")
    with pytest.raises(ImagestrataError, match='thumbnail=80 has no effect with to="csv"'):
        export(pairs, tmp_path / "p.csv", to="csv", thumbnail=80)
    with pytest.raises(ImagestrataError, match='no effect with to="page", which contains'):
        export(pairs, tmp_path / "p.html", base_url="https://x")
    with pytest.raises(ImagestrataError, match="1 of 6 pairs hold one image twice"):
        twice = pairs["image_b"].where(pairs.index > 0, pairs["image_a"])
        export(pairs.assign(image_b=twice), tmp_path / "p.html")
    with pytest.raises(ImagestrataError, match="must be a list of image ids"):
        export(pairs, tmp_path / "p.html", exclude=pairs["image_a"][0])
    n = pd.unique(pairs[["image_a", "image_b"]].to_numpy().ravel()).size
    with pytest.raises(ImagestrataError, match=f"{n} of {n} images have no path"):
        export(pairs.assign(path_a=None, path_b=None), tmp_path / "p.csv", to="csv",
               base_url="https://x")  # fmt: skip


# ---- back ----


def test_answers_find_their_pairs_whatever_their_order(pairs, tmp_path):
    one = stored(tmp_path, "1.csv", answers(pairs).sample(frac=1, random_state=1))
    other = stored(tmp_path, "2.csv", answers(pairs, "ben").iloc[::-1])
    table = read_pairs([other, one], pairs)
    assert table["pair_id"].tolist() == np.repeat(pairs["pair_id"], 2).tolist()
    assert table["annotator"].tolist() == ["anna", "ben"] * 6
    assert (table["judgement"] == (table["stratum"] == "within")).all()
    assert table.columns.tolist() == [*pairs.columns, "annotator", "judgement"]
    pd.testing.assert_frame_equal(table[table["annotator"] == "anna"].reset_index(drop=True),
                                  read_pairs(one, pairs))  # fmt: skip


def test_tables_as_spreadsheets_leave_them(pairs, tmp_path):
    words = answers(pairs, None).replace({"judgement": {0: "Different", 1: " same "}})
    file = stored(tmp_path, "carla.csv", words, sep=";", encoding="utf-8-sig")
    table = read_pairs(file, pairs)
    assert set(table["annotator"]) == {"carla"}
    assert (table["judgement"] == (table["stratum"] == "within")).all()
    decimals = stored(tmp_path, "d.csv", answers(pairs).astype({"judgement": float}), sep="\t")
    assert table["judgement"].tolist() == read_pairs(decimals, pairs)["judgement"].tolist()


def test_answers_of_label_studio(pairs, tmp_path):
    def annotation(judgement: int, person: Any, **more: Any) -> dict[str, Any]:
        choice = {
            "from_name": "judgement",
            "value": {"choices": [["unrelated", "loosely related", "closely related"][judgement]]},
        }
        return {"completed_by": person, "result": [{"from_name": "x", "value": {}}, choice], **more}

    wanted = [0, 1, 2, 0, 1, 2]
    whole = [
        {
            "data": {"pair_id": pair},
            "annotations": [
                annotation(judgement, 7),
                annotation(2, {"id": 3, "email": "b@example.org"}),
                annotation(0, 9, was_cancelled=True),
            ],
        }
        for pair, judgement in zip(pairs["pair_id"], wanted, strict=True)
    ]
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    table = read_pairs(tmp_path / "whole.json", pairs, graded=True)
    assert table.loc[table["annotator"] == "7", "judgement"].tolist() == wanted
    assert (table.loc[table["annotator"] == "b@example.org", "judgement"] == 2).all()
    assert len(table) == 12

    short = [
        {"pair_id": pair, "annotator": 7, "judgement": "same", "id": 1} for pair in pairs["pair_id"]
    ]
    (tmp_path / "short.json").write_text(json.dumps(short))
    assert (read_pairs(tmp_path / "short.json", pairs)["judgement"] == 1).all()


def test_the_key_lies_beside_the_file(pairs, tmp_path):
    """What was handed out, and nothing else: from the table, its file or the page."""
    hidden = pairs["image_a"][0]
    shown = pairs[(pairs["image_a"] != hidden) & (pairs["image_b"] != hidden)]
    export(pairs, tmp_path / "page.html", exclude=[hidden])
    file = stored(tmp_path, "a.csv", answers(shown))
    expected = read_pairs(file, shown.reset_index(drop=True))
    for key in (tmp_path / "page-key.csv", tmp_path / "page.html"):
        pd.testing.assert_frame_equal(read_pairs(file, key), expected, check_dtype=False)
    other = stored(tmp_path, "b.csv", answers(pairs))
    with pytest.raises(ImagestrataError, match=f"not among the {len(shown)} of this export"):
        read_pairs(other, tmp_path / "page.html")
    with pytest.raises(ImagestrataError, match="There is no file"):
        read_pairs(file, tmp_path / "none.html")
    with pytest.raises(ImagestrataError, match="`pairs` lacks the column 'image_a'"):
        read_pairs(file, file)


def test_answers_to_another_question_are_told(pairs, tmp_path):
    """A 1 is "same", or "loosely related": the page says which, and never a 2 gives it away."""
    words = ["unrelated", "loosely related"]
    table = answers(pairs)
    table["answer"] = table["judgement"].map(dict(enumerate(words)))
    file = stored(tmp_path, "a.csv", table)
    assert read_pairs(file, pairs, graded=True)["judgement"].tolist() == table["judgement"].tolist()
    with pytest.raises(ImagestrataError, match=r"none of 0 \(different\), 1 \(same\)") as caught:
        read_pairs(file, pairs)
    assert "graded=True" in caught.value.hint


def test_answers_come_as_a_table_or_a_folder_too(pairs, tmp_path):
    stored(tmp_path, "1.csv", answers(pairs))
    export(pairs, tmp_path / "pairs.html")  # its key is no answer
    expected = read_pairs(tmp_path / "1.csv", pairs)
    pd.testing.assert_frame_equal(read_pairs(tmp_path, pairs), expected)
    pd.testing.assert_frame_equal(read_pairs(answers(pairs), pairs), expected)
    with pytest.raises(ImagestrataError, match="lacks the column 'annotator'"):
        read_pairs(answers(pairs).drop(columns="annotator"), pairs)
    half = answers(pairs).assign(annotator=["anna", "", *["anna"] * 4])
    with pytest.raises(ImagestrataError, match="1 of 6 judgements name no annotator"):
        read_pairs(half, pairs)


def test_pairs_without_an_answer_are_counted(pairs, tmp_path):
    table = answers(pairs).astype({"judgement": object})
    table.loc[0, "judgement"], table.loc[4, "judgement"] = "", "NA"
    with pytest.warns(UserWarning, match="2 of 6 pairs have no judgement"):
        assert len(read_pairs(stored(tmp_path, "a.csv", table), pairs)) == 4
    with pytest.raises(ImagestrataError, match=r"No judgement was found in .*a\.csv"):
        read_pairs(stored(tmp_path, "a.csv", table.assign(judgement="")), pairs)


def test_mistakes_on_the_way_back(pairs, tmp_path):
    good = answers(pairs)

    def complaint(table: pd.DataFrame, **arguments: Any) -> str:
        with pytest.raises(ImagestrataError) as caught:
            read_pairs(stored(tmp_path, "a.csv", table), pairs, **arguments)
        return str(caught.value)

    other = good.assign(pair_id=good["pair_id"].where(good.index > 1, "p0"))
    assert (
        "2 of 6 judgements are about pairs that are not among the 6 of this export: 'p0'"
        in complaint(other)
    )
    assert "6 of 6 judgements are none of 0 (different), 1 (same): '2'" in complaint(
        good.assign(judgement=2)
    )
    assert "6 of 6 judgements are none of 0 (unrelated), 1" in complaint(
        good.assign(judgement=0.5), graded=True
    )
    both = pd.concat([good, good.assign(judgement=1 - good["judgement"]).head(2), good])
    assert "2 pairs have contradictory judgements by one annotator ('anna')" in complaint(both)
    assert len(read_pairs(stored(tmp_path, "b.csv", pd.concat([good, good])), pairs)) == 6
    assert "lacks the column 'judgement'; it has pair_id, annotator" in complaint(
        good.drop(columns="judgement")
    )
    with pytest.raises(ImagestrataError, match="There is no file"):
        read_pairs(tmp_path / "none.csv", pairs)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagestrataError, match=r"contains no file that ends in \.csv"):
        read_pairs(tmp_path / "empty", pairs)
    (tmp_path / "nothing.csv").write_text("\n")
    with pytest.raises(ImagestrataError, match=r"nothing\.csv' is empty"):
        read_pairs(tmp_path / "nothing.csv", pairs)
    with pytest.raises(ImagestrataError, match="`files` is empty"):
        read_pairs([], pairs)
    (tmp_path / "latin.csv").write_bytes("pair_id,judgement,é".encode("latin-1"))
    with (
        pytest.warns(UserWarning, match="line 1.*cp1252"),
        pytest.raises(ImagestrataError, match="No judgement was found"),
    ):
        read_pairs(tmp_path / "latin.csv", pairs)
    for text in ("{", '{"a": 1}', '[{"annotations": [{}]}]', "[{}]", "[1]"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ImagestrataError, match="not an export of Label Studio"):
            read_pairs(tmp_path / "bad.json", pairs)
    with pytest.raises(ImagestrataError, match="1 of 6 pairs hold one image twice"):
        twice = pairs["image_b"].where(pairs.index > 0, pairs["image_a"])
        read_pairs(stored(tmp_path, "b.csv", good), pairs.assign(image_b=twice))


# ---- several questions ----

QUESTIONS = {"denotative": "Same <things>?", "connotative": "Same idea?"}


def answers_to(pairs: pd.DataFrame, annotator: str = "anna", **named: Any) -> pd.DataFrame:
    """A row per pair and question: pairs within show the same, and all express the same."""
    same = {"denotative": (pairs["stratum"] == "within").astype(int), "connotative": 1} | named
    wide = pairs[["pair_id"]].assign(annotator=annotator, **same)
    return wide.melt(["pair_id", "annotator"], [*same], "question", "judgement")


def test_every_tool_asks_all_questions(pairs, tmp_path):
    data = data_of(export(pairs, tmp_path / "a.html", questions=QUESTIONS))
    assert data["questions"] == [{"name": name, "text": text} for name, text in QUESTIONS.items()]
    assert "asked" not in data and "said" not in data
    key = pd.read_csv(tmp_path / "a-key.csv")
    assert key.columns.tolist() == [*pairs.columns, *QUESTIONS]
    assert {json.loads(one)["question"] for one in key["denotative"]} == {"Same <things>?"}
    assert data["key"] != data_of(export(pairs, tmp_path / "b.html"))["key"]

    table = pd.read_csv(export(pairs, tmp_path / "c.csv", to="csv", questions=QUESTIONS))
    assert table.columns[-3:].tolist() == ["annotator", *QUESTIONS]
    export(pairs, tmp_path / "t.json", to="labelstudio", base_url="https://x", questions=QUESTIONS)
    view = ElementTree.parse(tmp_path / "t-config.xml").getroot()
    texts = [header.get("value") for header in view.iter("Header")]
    assert texts == ["2 questions about each pair of images", *QUESTIONS.values()]
    assert [choices.get("name") for choices in view.iter("Choices")] == [*QUESTIONS]
    assert {choices.get("required") for choices in view.iter("Choices")} == {"true"}
    # One question with a name is asked like one without.
    one = export(pairs, tmp_path / "d.html", questions={"idea": "Same idea?"}).read_text()
    assert one.count("Same idea?</") == 2  # before the first pair, and above each


def test_answers_to_several_questions_are_read_from_every_tool(pairs, tmp_path):
    given = answers_to(pairs)
    export(pairs, tmp_path / "page.html", questions=QUESTIONS)
    file = stored(tmp_path, "anna.csv", given.sample(frac=1, random_state=2))
    table = read_pairs(file, tmp_path / "page.html")
    added = ["annotator", "question", "judgement"]
    assert table.columns.tolist() == [*pairs.columns, *added]
    assert table["pair_id"].tolist() == np.repeat(pairs["pair_id"], 2).tolist()
    assert table["question"].tolist() == [*QUESTIONS] * 6
    within = table["stratum"] == "within"
    is_idea = table["question"] == "connotative"
    assert (table["judgement"] == (within | is_idea)).all()
    # Files name their questions themselves; the order is that of the files.
    again = read_pairs(file, pairs).sort_values(["pair_id", "question"], ignore_index=True)
    pd.testing.assert_frame_equal(
        again, table.sort_values(["pair_id", "question"], ignore_index=True), check_dtype=False
    )

    sheet = export(pairs, tmp_path / "sheet.csv", to="csv", questions=QUESTIONS)
    filled = pd.read_csv(sheet, dtype=str)
    wide = given.pivot(index="pair_id", columns="question", values="judgement")
    for name in QUESTIONS:
        filled[name] = filled["pair_id"].map(wide[name].map({0: "different", 1: "same"}))
    filled["annotator"] = "anna"
    back = stored(tmp_path, "back.csv", filled)
    # The export itself leads to its key, which has strata and questions.
    pd.testing.assert_frame_equal(read_pairs(back, sheet), table, check_dtype=False)
    named = read_pairs(back, pairs, questions=QUESTIONS)
    pd.testing.assert_frame_equal(named, table, check_dtype=False)

    tasks = [
        {"pair_id": pair, "annotator": "anna", **{name: int(row[name]) for name in QUESTIONS}}
        for pair, row in wide.iterrows()
    ]
    (tmp_path / "studio.json").write_text(json.dumps(tasks))
    found = read_pairs(tmp_path / "studio.json", tmp_path / "page.html")
    pd.testing.assert_frame_equal(found, table, check_dtype=False)


def test_gaps_and_mistakes_in_answers_to_several_questions(pairs, tmp_path):
    export(pairs, tmp_path / "page.html", questions=QUESTIONS)
    given = answers_to(pairs)
    half = given[(given["question"] == "denotative") | (given["pair_id"] == given["pair_id"][0])]
    with pytest.warns(
        UserWarning, match="5 of 6 judged pairs have no judgement of the question 'connotative'"
    ):
        assert len(read_pairs(half, tmp_path / "page.html")) == 7
    with pytest.raises(ImagestrataError, match="12 of 12 judgements are of other questions than"):
        read_pairs(given.assign(question="other"), tmp_path / "page.html")
    with pytest.raises(ImagestrataError, match="lacks the column 'question'"):
        read_pairs(answers(pairs), tmp_path / "page.html")
    twice = pd.concat([given, given.head(1).assign(judgement=1 - given["judgement"][0])])
    with pytest.raises(ImagestrataError, match="1 pair has contradictory judgements"):
        read_pairs(twice, tmp_path / "page.html")
    plain = stored(tmp_path, "plain.csv", answers(pairs, "ben"))
    with pytest.raises(ImagestrataError, match=r"plain.csv' lacks the column 'question'"):
        read_pairs([stored(tmp_path, "a.csv", given), plain], pairs)
    for wrong, said in (
        (["a", "b"], "must be the text of one question, or several texts with names"),
        ({}, "must be the text of one question"),
        ({"a": 1}, "must be the text of one question"),
        ({"stratum": "Same?"}, "'stratum' cannot be the name of a question"),
        ({"judgement": "Same?"}, "'judgement' cannot be the name of a question"),
        ({"a; b": "Same?"}, "must not contain semicolons"),
    ):
        with pytest.raises(ImagestrataError, match=said):
            export(pairs, tmp_path / "x.html", questions=wrong)


def test_disputed_pairs_go_to_a_meeting(pairs, tmp_path):
    ids = pairs["pair_id"]
    anna = answers_to(pairs, "anna", denotative=[1, 1, 0, 0, 0, 0], connotative=1)
    ben = answers_to(pairs, "ben", denotative=[1, 0, 0, 0, 0, 0], connotative=[1, 1, 1, 0, 1, 1])
    carla = answers_to(
        pairs, "carla", denotative=[1, 0, 0, 0, 0, 0], connotative=[1, 1, 1, 0, 1, 0]
    )
    judged = read_pairs(pd.concat([anna, ben, carla]), pairs)
    decided = consensus(judged)
    assert decided["question"].tolist() == [*QUESTIONS] * 6
    assert decided["n_annotators"].eq(3).all()
    disputed = pd.DataFrame(decided.attrs["disputed"])
    # Two of three pairs of annotators differ in each, so that the order is that of the pairs.
    about = disputed.drop_duplicates(["pair_id", "question"])
    assert about["pair_id"].tolist() == [ids[1], ids[3], ids[5]]
    assert about["question"].tolist() == ["denotative", "connotative", "connotative"]
    assert disputed["disagreement"].tolist() == pytest.approx([2 / 3] * 9)
    assert disputed["annotator"].tolist() == ["anna", "ben", "carla"] * 3
    last = ["annotator", "question", "judgement", "disagreement"]
    assert disputed.columns.tolist() == [*pairs.columns, *last]

    meet = export(pairs, tmp_path / "meet.html", questions=QUESTIONS, disputed=judged)
    data = data_of(meet)
    assert [pair for pair, *_ in data["pairs"]] == [ids[1], ids[3], ids[5]]
    assert data["asked"] == [[0], [1], [1]]
    assert data["said"][0] == ["anna: same; ben: different; carla: different", ""]
    assert data["said"][2] == ["", "anna: same; ben: same; carla: different"]
    again = data_of(export(disputed, tmp_path / "again.html", questions=QUESTIONS))
    assert again["pairs"] == data["pairs"] and again["asked"] == data["asked"]
    assert "said" not in again  # earlier answers are shown only with `disputed`
    key = pd.read_csv(tmp_path / "meet-key.csv")
    assert key.columns.tolist() == [*pairs.columns, *QUESTIONS]
    assert key["denotative"].notna().tolist() == [True, False, False]

    sheet = export(disputed, tmp_path / "meet.csv", to="csv", questions=QUESTIONS)
    filled = pd.read_csv(sheet, dtype=str)
    assert filled["questions"].tolist() == ["denotative", "connotative", "connotative"]
    filled["annotator"] = "meeting"
    filled.loc[0, "denotative"], filled.loc[[1, 2], "connotative"] = "same", ["same", "different"]
    meeting = read_pairs(stored(tmp_path, "met.csv", filled), sheet)  # no warning of gaps
    final = consensus(judged, meeting=meeting)
    assert final.attrs["disputed"] == []
    changed = final["judgement"] != decided["judgement"]
    assert final.loc[changed, ["pair_id", "question"]].to_numpy().tolist() == [
        [ids[1], "denotative"], [ids[3], "connotative"], [ids[5], "connotative"],
    ]  # fmt: skip
    assert final.loc[changed, "judgement"].tolist() == [1, 1, 0]
    assert (final["n_annotators"] == 3).all()

    first = meeting.head(1)
    assert len(consensus(judged, meeting=first).attrs["disputed"]) == 6
    with pytest.raises(ImagestrataError, match="has several answers to 1 pair"):
        consensus(judged, meeting=pd.concat([first, first.assign(annotator="ben")]))
    with pytest.raises(ImagestrataError, match="1 of 1 answer of the meeting are about pairs and"):
        consensus(judged, meeting=first.assign(pair_id="p0"))
    with pytest.raises(ImagestrataError, match="must both have the column 'question'"):
        consensus(judged, meeting=first.drop(columns="question"))
    with pytest.raises(ImagestrataError, match=r"`disputed` shows .* never does"):
        export(pairs, tmp_path / "s", to="server", questions=QUESTIONS, disputed=judged)
    with pytest.raises(ImagestrataError, match="'denotative', which is not among `questions`"):
        export(pairs, tmp_path / "s.html", disputed=judged)
    with pytest.raises(ImagestrataError, match="agree on all pairs"):
        alike = pd.concat([anna, anna.assign(annotator="ben")])
        export(pairs, tmp_path / "s.html", questions=QUESTIONS, disputed=alike)
    with pytest.raises(ImagestrataError, match="3 of 3 disputed pairs are not among `pairs`"):
        export(pairs.head(1), tmp_path / "s.html", questions=QUESTIONS, disputed=judged)


def test_label_studio_asks_only_what_is_disputed(pairs, tmp_path):
    anna = answers_to(pairs, "anna", denotative=[1, 1, 0, 0, 0, 0], connotative=[1, 1, 1, 1, 0, 0])
    ben = answers_to(pairs, "ben", denotative=[1, 0, 0, 0, 0, 0], connotative=[1, 0, 1, 0, 0, 0])
    judged = read_pairs(pd.concat([anna, ben]), pairs)
    given = {"questions": QUESTIONS, "disputed": judged}
    file = export(pairs, tmp_path / "m.json", to="labelstudio", base_url="https://x", **given)
    tasks = [task["data"] for task in json.loads(file.read_text())]
    assert [task["pair_id"] for task in tasks] == pairs["pair_id"][[1, 3]].tolist()
    both = [{"value": "different"}, {"value": "same"}]
    assert [task["answers_1"] for task in tasks] == [both, []]
    assert [task["answers_2"] for task in tasks] == [both, both]
    assert [task["asked_1"] for task in tasks] == [QUESTIONS["denotative"], ""]
    assert tasks[1]["asked_2"] == QUESTIONS["connotative"]
    view = ElementTree.parse(tmp_path / "m-config.xml").getroot()
    choices = [(one.get("name"), one.get("value"), len(one)) for one in view.iter("Choices")]
    assert choices == [("denotative", "$answers_1", 0), ("connotative", "$answers_2", 0)]
    assert [one.get("value") for one in view.iter("Header")][1:] == ["$asked_1", "$asked_2"]

    def answered(task: dict[str, Any], **said: str) -> dict[str, Any]:
        result = [{"from_name": one, "value": {"choices": [it]}} for one, it in said.items()]
        return {"data": task, "annotations": [{"completed_by": "met", "result": result}]}

    back = [
        answered(tasks[0], denotative="same", connotative="different"),
        answered(tasks[1], connotative="same"),
    ]
    (tmp_path / "back.json").write_text(json.dumps(back))
    short = [
        {**task, **{one["from_name"]: one["value"]["choices"][0] for one in said["result"]}}
        for task, said in zip(tasks, (one["annotations"][0] for one in back), strict=True)
    ]
    (tmp_path / "short.json").write_text(json.dumps([{**one, "annotator": 7} for one in short]))
    for name in ("back.json", "short.json"):
        meeting = read_pairs(tmp_path / name, tmp_path / "m.json")  # no warning of gaps
        decided = consensus(judged, meeting=meeting).set_index(["pair_id", "question"])["judgement"]
        ids = pairs["pair_id"]
        assert decided[ids[1], "denotative"] == 1 and decided[ids[1], "connotative"] == 0
        assert decided[ids[3], "connotative"] == 1 and decided[ids[3], "denotative"] == 0
        assert len(meeting) == 3


def test_disputes_about_one_plain_question(pairs, tmp_path):
    grades = {"anna": [0, 0, 1, 2, 2, 0], "ben": [0, 1, 1, 0, 2, 1], "carla": [0, 1, 1, 0, 2, 2]}
    judged = read_pairs(
        pd.concat([answers(pairs, who, judgement=given) for who, given in grades.items()]),
        pairs,
        graded=True,
    )
    with pytest.warns(UserWarning, match="1 of 6 pairs are undecided: their annotators tie"):
        disputed = pd.DataFrame(consensus(judged).attrs["disputed"])
    # Mean squared differences by hand: (4 + 4 + 0) / 3, (1 + 4 + 1) / 3, (1 + 1 + 0) / 3.
    ids = pairs["pair_id"]
    assert disputed["pair_id"].unique().tolist() == [ids[3], ids[5], ids[1]]
    assert disputed["disagreement"].tolist() == pytest.approx(np.repeat([8 / 3, 2, 2 / 3], 3))
    page = export(pairs, tmp_path / "meet.html", graded=True, disputed=judged)
    data = data_of(page)
    assert [pair for pair, *_ in data["pairs"]] == [ids[3], ids[5], ids[1]]
    assert data["said"][0] == ["anna: closely related; ben: unrelated; carla: unrelated"]
    assert "questions" not in data and "asked" not in data
    with pytest.raises(ImagestrataError, match="judgement 2, which is none of the answers") as told:
        export(pairs, tmp_path / "binary.html", disputed=judged)
    assert "graded=True" in told.value.hint
    met = read_pairs(
        pd.DataFrame({"pair_id": ids[[3, 5, 1]], "annotator": "meeting", "judgement": [1, 1, 0]}),
        page,
        graded=True,
    )
    final = consensus(judged, meeting=met)
    assert final["judgement"].tolist() == [0, 0, 1, 1, 2, 1]
    assert final.attrs["disputed"] == []


# ---- in the browser ----


def judged_so_far(page: Any) -> str:
    return page.locator("#place").inner_text()


@pytest.mark.browser
def test_judging_with_the_keyboard_and_the_way_back(pairs, tmp_path, visit):
    html = export(pairs, tmp_path / "pairs.html", warning="Some <b>images</b> are sad.")
    data = data_of(html)
    visit.goto(html.as_uri())
    expect_soon(visit.get_by_text("Some <b>images</b> are sad.")).to_be_visible()
    begin(visit, "  ")
    expect_soon(visit.locator("#judge")).to_be_hidden()
    begin(visit, "Anna =1")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"
    for side, image in zip(("left", "right"), data["pairs"][0][1:], strict=True):
        assert visit.locator(f"#{side}").get_attribute("src") == data["pictures"][image]
        wait_until(visit, f"document.getElementById('{side}').naturalWidth > 0")

    for key in ("s", "D", "1", "2", "0"):  # 2 is no answer here
        visit.keyboard.press(key)
    assert judged_so_far(visit) == "Pair 5 of 6 · 4 judged"
    visit.keyboard.press("ArrowLeft")
    visit.keyboard.press("Backspace")
    same, different = (visit.get_by_role("button", name=name) for name in ("Same", "Different"))
    assert same.get_attribute("aria-pressed") == "true"
    assert different.get_attribute("aria-pressed") == "false"
    visit.keyboard.press("d")  # changes the third and goes on to the fourth
    assert judged_so_far(visit) == "Pair 4 of 6 · 4 judged"

    visit.reload()  # as after the page was closed
    assert visit.get_by_label("Your name or code").input_value() == ""
    begin(visit, "Anna =1")
    assert judged_so_far(visit) == "Pair 5 of 6 · 4 judged"
    visit.keyboard.press("ArrowRight")
    same.click()
    assert judged_so_far(visit) == "Pair 5 of 6 · 5 judged"  # the one that was skipped
    different.click()
    expect_soon(visit.get_by_text("All pairs are judged")).to_be_visible()
    expect_soon(visit.get_by_text("6 pairs: 4 different, 2 same.")).to_be_visible()

    file = downloaded(visit, tmp_path)
    assert file.name == "pairs-Anna-1.csv"
    rows = list(csv.DictReader(file.open(newline="")))
    assert [row["image_a"] for row in rows] == pairs["image_a"].tolist()
    table = read_pairs(file, pairs)
    assert table["judgement"].tolist() == [1, 0, 0, 0, 0, 1]
    assert set(table["annotator"]) == {"Anna =1"}

    visit.get_by_role("button", name="Look through them again").click()
    assert judged_so_far(visit) == "Pair 1 of 6 · 6 judged"
    assert same.get_attribute("aria-pressed") == "true"


@pytest.mark.browser
def test_annotators_of_one_browser_have_answers_of_their_own(pairs, tmp_path, visit):
    html = export(pairs, tmp_path / "graded.html", graded=True, questions="How <i>near</i>?")
    visit.goto(html.as_uri())
    begin(visit, "anna")
    expect_soon(visit.get_by_role("heading", name="How <i>near</i>?")).to_be_visible()
    for key in ("2", "1", "s", "0"):  # s is no answer here
        visit.keyboard.press(key)
    visit.get_by_role("button", name="Change").click()
    begin(visit, "ben")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"
    visit.get_by_role("button", name="Closely related").click()
    file = downloaded(visit, tmp_path)
    with pytest.warns(UserWarning, match="5 of 6 pairs have no judgement"):
        assert read_pairs(file, pairs, graded=True)["judgement"].tolist() == [2]
    visit.get_by_role("button", name="Change").click()
    begin(visit, "anna")
    assert judged_so_far(visit) == "Pair 4 of 6 · 3 judged"

    # The same pairs on another scale are another question.
    visit.goto(export(pairs, tmp_path / "binary.html").as_uri())
    begin(visit, "anna")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(360, 640), (1600, 900), (900, 400)])
@pytest.mark.parametrize("questions", [None, QUESTIONS])
def test_everything_is_seen_at_once(pairs, tmp_path, visit, width, height, questions):
    visit.set_viewport_size({"width": width, "height": height})
    html = export(pairs, tmp_path / "pairs.html", graded=True, questions=questions)
    visit.goto(html.as_uri())
    begin(visit, "anna")
    visit.keyboard.press("0")
    size = visit.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size[0] <= width
    assert size[1] <= height
    for picture in ("left", "right"):
        box = visit.locator(f"#{picture}").bounding_box()
        assert box["width"] > 100
        assert box["height"] > 80


def shown_active(page: Any) -> str:
    return page.locator(".ask.on .text").inner_text()


@pytest.mark.browser
def test_several_questions_are_answered_one_after_the_other(pairs, tmp_path, visit):
    html = export(pairs, tmp_path / "pairs.html", questions=QUESTIONS)
    visit.goto(html.as_uri())
    assert visit.locator(".questions li").all_inner_texts() == [*QUESTIONS.values()]
    begin(visit, "anna")
    asks = visit.locator(".ask")
    assert asks.count() == 2 and shown_active(visit) == "Same <things>?"
    visit.keyboard.press("s")
    assert judged_so_far(visit) == "Pair 1 of 6 · 0 judged"  # not before the other is answered
    assert shown_active(visit) == "Same idea?"
    visit.keyboard.press("0")
    assert judged_so_far(visit) == "Pair 2 of 6 · 1 judged"
    assert shown_active(visit) == "Same <things>?"

    # Answers in another order, by mouse and by arrows.
    asks.nth(1).get_by_role("button", name="Same").click()
    assert shown_active(visit) == "Same <things>?"
    visit.keyboard.press("ArrowDown")
    assert shown_active(visit) == "Same idea?"
    visit.keyboard.press("d")
    assert asks.nth(1).locator('[aria-pressed="true"]').inner_text().startswith("Different")
    assert judged_so_far(visit) == "Pair 2 of 6 · 1 judged"

    visit.reload()  # an unfinished pair is kept
    begin(visit, "anna")
    assert judged_so_far(visit) == "Pair 2 of 6 · 1 judged"
    assert asks.nth(1).locator('[aria-pressed="true"]').inner_text().startswith("Different")
    assert asks.nth(0).locator('[aria-pressed="true"]').count() == 0
    assert shown_active(visit) == "Same <things>?"
    visit.keyboard.press("s")
    assert judged_so_far(visit) == "Pair 3 of 6 · 2 judged"

    # Back: a changed answer stays with its pair until the last question is answered again.
    visit.keyboard.press("ArrowLeft")
    visit.keyboard.press("ArrowLeft")
    visit.keyboard.press("d")
    assert judged_so_far(visit) == "Pair 1 of 6 · 2 judged"
    assert shown_active(visit) == "Same idea?"
    visit.keyboard.press("d")
    assert judged_so_far(visit) == "Pair 2 of 6 · 2 judged"
    visit.keyboard.press("ArrowRight")
    visit.keyboard.press("s")  # one answer to the third pair
    table = read_partly(downloaded(visit, tmp_path), html)
    assert table["question"].tolist() == [*QUESTIONS, *QUESTIONS, "denotative"]
    assert table["judgement"].tolist() == [0, 0, 1, 0, 1]

    for key in "ssdssdss":
        visit.keyboard.press(key)
    expect_soon(visit.get_by_text("All pairs are judged")).to_be_visible()
    said = "6 pairs. denotative: 2 different, 4 same; connotative: 3 different, 3 same."
    expect_soon(visit.get_by_text(said)).to_be_visible()


def read_partly(file: Path, key: Path) -> pd.DataFrame:
    with pytest.warns(UserWarning) as caught:
        table = read_pairs(file, key)
    assert [str(one.message) for one in caught] == [
        "3 of 6 pairs have no judgement.",
        "1 of 3 judged pairs have no judgement of the question 'connotative'.",
    ]
    return table


@pytest.mark.browser
def test_a_meeting_sees_only_what_is_disputed(pairs, tmp_path, visit):
    anna = answers_to(pairs, "anna", connotative=1)
    ben = answers_to(pairs, "ben", connotative=[1, 0, 1, 1, 1, 1])
    ben.loc[2, "judgement"] = 1 - ben.loc[2, "judgement"]
    judged = read_pairs(pd.concat([anna, ben]), pairs)
    html = export(pairs, tmp_path / "meet.html", questions=QUESTIONS, disputed=judged)
    visit.goto(html.as_uri())
    begin(visit, "meeting")
    assert judged_so_far(visit) == "Pair 1 of 2 · 0 judged"
    assert visit.locator(".ask:visible .text").all_inner_texts() == ["Same idea?"]
    expect_soon(visit.get_by_text("anna: same; ben: different")).to_be_visible()
    visit.keyboard.press("s")
    assert visit.locator(".ask:visible .text").all_inner_texts() == ["Same <things>?"]
    visit.keyboard.press("d")
    meeting = read_pairs(downloaded(visit, tmp_path), html)
    assert meeting["question"].tolist() == ["connotative", "denotative"]
    assert consensus(judged, meeting=meeting).attrs["disputed"] == []


@pytest.mark.browser
def test_one_question_with_a_name_looks_like_one_without(pairs, tmp_path, visit):
    visit.goto(export(pairs, tmp_path / "p.html", questions={"idea": "Same idea?"}).as_uri())
    begin(visit, "anna")
    expect_soon(visit.get_by_role("heading", name="Same idea?")).to_be_visible()
    visit.keyboard.press("s")
    visit.get_by_role("button", name="Different").click()
    visit.keyboard.press("ArrowLeft")
    assert visit.get_by_role("button", name="Different").get_attribute("aria-pressed") == "true"
    with pytest.warns(UserWarning, match="4 of 6 pairs have no judgement"):
        table = read_pairs(downloaded(visit, tmp_path), pairs)
    assert table[["question", "judgement"]].to_numpy().tolist() == [["idea", 1], ["idea", 0]]


@pytest.mark.browser
@pytest.mark.parametrize(
    "name", ["=a", "<b>", "it's, a 'name'", "__proto__", "constructor", "a\nb"]
)
def test_names_of_questions_may_be_any_text(pairs, tmp_path, visit, name):
    questions = {name: "Same?", "@x": "<i>Same</i> idea?"}
    html = export(pairs.head(1), tmp_path / "p.html", questions=questions)
    visit.goto(html.as_uri())
    begin(visit, "anna")
    assert visit.locator("#ask-1").inner_text() == "<i>Same</i> idea?"
    visit.keyboard.press("s")
    visit.keyboard.press("d")
    table = read_pairs(downloaded(visit, tmp_path), html)
    assert dict(zip(table["question"], table["judgement"], strict=True)) == {name: 1, "@x": 0}
    sheet = export(pairs.head(1), tmp_path / "s.csv", to="csv", questions=questions)
    filled = pd.read_csv(sheet, dtype=str)
    filled = filled.assign(**dict.fromkeys(filled.columns[-2:], "same"), annotator="ben")
    filled.to_csv(tmp_path / "back.csv", index=False)
    assert read_pairs(tmp_path / "back.csv", sheet)["question"].tolist() == [*questions]
