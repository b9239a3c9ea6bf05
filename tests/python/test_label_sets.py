"""How a sample is divided among annotators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import ImagestrataError
from imagestrata.annotation.form import Pictures
from imagestrata.annotation.label_sets import divide, label_form


def divided(groups, coders, double, seed=0):
    return divide(pd.Series(groups), coders, double, np.random.default_rng(seed))


def test_clusters_stay_together():
    groups = [1] * 4 + [2] * 4 + [3] * 2 + [4] * 2
    sets = divided(groups, 2, 0.0)
    members = sets.assign(group=np.array(groups)[sets["row"]]).groupby("coder")["group"]
    held = [{*one} for _, one in members]
    assert held[0] | held[1] == {1, 2, 3, 4} and not held[0] & held[1]
    assert members.size().tolist() == [6, 6]
    for _, one in members:  # the images of a cluster follow each other
        assert (one != one.shift()).sum() == one.nunique()


def test_a_large_cluster_is_divided():
    sets = divided([1] * 10 + [2] * 2, 3, 0.0)
    assert sets.groupby("coder").size().tolist() == [4, 4, 4]


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    coders=st.integers(1, 5),
    double=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 50),
)
def test_everybody_gets_every_image_as_often_as_asked(sizes, coders, double, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    double = double if coders > 1 else 0.0
    sets = divided(groups, coders, double, seed)
    n = len(groups)
    times = sets.groupby("row")["coder"].agg(["size", "nunique"]).reindex(range(n))
    assert (times["size"] == times["nunique"]).all() and (times["size"] >= 1).all()
    n_double = int((times["size"] == 2).sum())
    assert n_double == int(np.floor(double * n + 0.5))
    # Each group has its share of the images that are labelled twice, up to less than two images.
    by_group = (times["size"] == 2).groupby(groups).sum()
    split = -(-np.array(sizes) // -(-n // coders))  # into this many pieces
    assert (abs(by_group - double * np.array(sizes)) < 1 + split).all()
    pd.testing.assert_frame_equal(sets, divided(groups, coders, double, seed))


def sample_of(n=12, **columns):
    ids = [f"i{i:02d}" for i in range(n)]
    given = {"image_id": ids, "path": ids, "cluster": [1 + i // 4 for i in range(n)]}
    return pd.DataFrame(given | columns)


def test_what_a_page_gets():
    form = label_form(sample_of(), {"a": "binary", "b": [1, 3]}, coders=2, double=0.25, seed=1)
    assert {*form.tasks["packet_id"]} == {"coder-1", "coder-2"}
    assert len(form.tasks) == 15
    assert form.key["a"].iloc[0].startswith('{"kind": "binary"')
    tasks = form.tasks[form.tasks["packet_id"] == "coder-2"]
    assert tasks["position"].tolist() == [*range(1, len(tasks) + 1)]
    data = form.page(tasks, Pictures({image: f"u/{image}" for image in tasks["image_id"]}, {}))
    assert data["packet"] == "coder-2" and data["one"] == "group"
    assert [image["id"] for image in data["images"]] == tasks["image_id"].tolist()
    shown = [row for group in data["groups"] for row in group["images"]]
    assert sorted(shown) == [*range(len(tasks))]
    assert {group["title"] for group in data["groups"]} <= {"Cluster 1", "Cluster 2", "Cluster 3"}
    assert data["codes"][0]["words"] == ("yes", "no")
    # Nothing that differs between images with one and with two annotators.
    assert {*data["images"][0]} == {"id", "picture", "missing", "facts"}


def test_other_groups_and_none():
    form = label_form(sample_of(party=["x", "y"] * 6), "a", by="party")
    data = form.page(form.tasks, Pictures({}, {}))
    assert sorted(group["title"] for group in data["groups"]) == ["party: x", "party: y"]
    form = label_form(sample_of(), "a", by=None)
    data = form.page(form.tasks, Pictures({}, {}))
    assert data["alone"] and len(data["groups"]) == 12
    residual = label_form(sample_of().assign(cluster=-1), "a")
    assert residual.page(residual.tasks, Pictures({}, {}))["groups"][0]["title"] == "Residual"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"double": 0.1}, "double=0.1 needs two annotators"),
        ({"coders": 2, "double": 1.5}, "`double` must be between 0 and 1"),
        ({"coders": 13}, "12 images for 13 annotators"),
        ({"by": "party"}, "lacks the column 'party'"),
        ({"by": 3}, "`by` must be the name of a column"),
        ({"codes": ["cluster"]}, "has a column of that name already"),
        ({"codes": ["path"]}, "has a column of that name already"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ImagestrataError, match=message):
        label_form(sample_of(), **{"codes": ["a"], **options})
    with pytest.raises(ImagestrataError, match="more than once"):
        label_form(pd.concat([sample_of(), sample_of()]), "a")
