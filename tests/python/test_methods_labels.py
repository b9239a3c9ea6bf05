"""The methods paragraph on labels and predictions says what R says, with their numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imagestrata import ImagestrataError, label_shares, methods_paragraph
from test_golden import golden as table_of

GOLDEN = Path(__file__).parents[1] / "fixtures" / "methods-labels.txt"


def golden() -> dict[str, str]:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def labels() -> pd.DataFrame:
    """The table of ``tests/testthat/test-methods-labels.R``: 12 images, two annotators."""
    i = np.arange(12)
    parts = [
        pd.DataFrame(
            {
                "image_id": [f"i{one:02d}" for one in i],
                "code": code,
                "label": [str((one * step + shift) % 2) for one in i],
                "annotator": annotator,
                "kind": kind,
                "seconds": 2.0 + (i * 3) % 7,
            }
        )
        for code, kind, step in (("protest", "binary", 1), ("anger", "scale", 3))
        for annotator, shift in (("anna", 0), ("ben", 1))
    ]
    table = pd.concat(parts, ignore_index=True)
    table.loc[[3, 40], "label"] = None
    return table[table["seconds"] < 8].reset_index(drop=True)


def shares() -> dict[str, pd.DataFrame]:
    images, sample, given, predictions, posts = (
        table_of(f"labelled-{name}")
        for name in ("images", "sample", "labels", "predictions", "posts")
    )
    posts["time"] = pd.to_datetime(posts["time"])
    protest = given[given["code"] == "protest"]
    return {
        "shares": label_shares(given, predictions, sample, clustering=images),
        "clusters": label_shares(given, predictions, sample, "cluster", clustering=images),
        "sample": label_shares(given, sample=sample, conf_level=0.9),
        "months": label_shares(protest, predictions, sample, "month", linked=posts),
        "posts": label_shares(
            protest, predictions, sample, "party", linked=posts, weight="post"
        ),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_both_languages_say_the_same():
    given = labels()
    alpha = {
        "measure": ["cohen_kappa", "krippendorff_alpha_nominal", "krippendorff_alpha_ordinal"],
        "annotators": "all",
        "estimate": [0.5, 0.914, 0.785],
        "conf_low": [0.4, 0.905, 0.7],
        "conf_high": [0.6, 0.956, 0.83],
    }
    predicted = pd.DataFrame(
        {
            "image_id": [f"i{one:02d}" for one in range(12)],
            "label": "protest",
            "probability": 0.5,
            "split": ["fold"] * 5 + ["train"] + [None] * 6,
        }
    )
    decided = given.drop_duplicates(["image_id", "code"]).assign(n_annotators=2)
    judged = pd.DataFrame(
        {
            "pair_id": ["p1", "p2", "p1", "p1", "p2"],
            "annotator": ["anna", "anna", "ben", "model:llava", "model:llava"],
            "judgement": [1, 0, 1, 1, None],
        }
    )
    scores = pd.DataFrame(
        {
            "measure": ["precision"] * 3 + ["f1"],
            "method": ["machine", "people", "corrected", "corrected"],
            "estimate": [0.5, 0.8, 0.814, 0.7],
            "conf_low": [0.4, 0.6, 0.75, np.nan],
            "conf_high": [0.6, 0.9, 0.87, np.nan],
            "n_pairs": 150,
            "n_predicted": 2000,
        }
    )
    results = {
        "labels": given,
        "plain": given[["image_id", "code", "label"]].drop_duplicates(["image_id", "code"]),
        "one": given[:1].assign(seconds=None),
        "consensus": decided[["image_id", "code", "label", "n_annotators"]],
        "codes": pd.DataFrame(alpha).assign(
            code=["protest", "protest", "anger"], n_images=[10, 10, 9]
        ),
        "pairs": pd.DataFrame(alpha).assign(n_pairs=1200),
        "questions": pd.DataFrame(alpha).assign(
            question=["things", "things", "ideas"], n_pairs=[10, 10, 9]
        ),
        "folds": predicted,
        "other": predicted.assign(code="protest", label="1", split=None),
        "signed": predicted.assign(annotator="model:fine-tuned resnet18"),
        "machine": given[:3].assign(label=["1", None, "0"], annotator="model:llava", seconds=None),
        "together": pd.concat(
            [given[:2].assign(seconds=None), given[:1].assign(annotator="model:llava")]
        ),
        "judged": judged,
        "agreed": judged[:2].drop(columns="annotator").assign(judgement=[1, None]),
        "corrected": scores,
        **shares(),
    }
    told = {name: methods_paragraph(results=one) for name, one in results.items()}
    parts = {name: text.split(" Labels were analysed with ", 1) for name, text in told.items()}
    assert {name: part[0] for name, part in parts.items()} == golden()
    assert all(part[1].startswith("Python 3.") for part in parts.values())


def test_posts_and_labels_share_a_paragraph():
    posts = pd.DataFrame(
        {
            "post_id": ["1", "2"],
            "image_id": ["i1", None],
            "cluster": pd.Series([1, None], dtype="Int64"),
            "unmatched": [None, "no image"],
        }
    )
    text = methods_paragraph(results=[posts, labels()])
    first, second = text.index("We linked posts"), text.index("We had 10 images labelled")
    assert first < second < text.index("Posts and labels were analysed with Python")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_method_of_shares_is_told_once():
    text = methods_paragraph(results=[*shares().values()])
    assert text.count("Corrected estimates are") == 1
    assert text.count("We estimated how often") == 4


def test_other_tables_are_refused():
    with pytest.raises(ImagestrataError, match="labels or predictions, or results of"):
        methods_paragraph(results=pd.DataFrame({"image_id": ["a"], "x": [1]}))


def test_undefined_agreement():
    table = pd.DataFrame(
        {
            "measure": ["krippendorff_alpha_nominal"], "annotators": ["all"], "estimate": [None],
            "conf_low": [None], "conf_high": [None], "n_pairs": [3],
        }
    )  # fmt: skip
    assert "could not be measured" in methods_paragraph(results=table)
