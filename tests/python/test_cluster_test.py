"""Matching and intruder tests: drawing sets, reading answers by hand, the page in Chromium."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterings import draw_images, hand_made
from imagestrata import (
    ImagestrataError,
    export_test,
    read_test,
)
from imagestrata.annotation.cluster_test import _members
from imagestrata.annotation.intruders import _p_value
from imagestrata.finetune.scores import clustered_wilson, wilson
from pages import begin, downloaded, expect_soon, wait_until

NAMES = {1: "red", 2: "blue", 3: "green & 'kind'"}
SIZES = [12, 9, 6, 2]


@pytest.fixture(scope="module")
def clustering(tmp_path_factory):
    """Clusters of 12, 9, 6 and 2 images, and three of the residual."""
    clusters = [*np.repeat([1, 2, 3, 4], SIZES).tolist(), -1, -1, -1]
    return hand_made(draw_images(tmp_path_factory.mktemp("images"), clusters), clusters)


@pytest.fixture
def matching(clustering, tmp_path):
    return export_test(
        clustering, tmp_path / "page.html", descriptions=NAMES, n_sets=2, progress=False
    )


@pytest.fixture
def intruders(clustering, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export_test(
            clustering, tmp_path / "page.html", kind="intruders", n_sets=2, progress=False
        )


def answer_file(path: Path, annotator: str, answers: dict[str, Any]) -> Path:
    rows = [(name, annotator, answer) for name, answer in answers.items()]
    table = pd.DataFrame(rows, columns=["set_id", "annotator", "judgement"])
    table.sample(frac=1, random_state=0).to_csv(path, index=False)
    return path


def truth_of(key: pd.DataFrame) -> dict[str, int]:
    return key.drop_duplicates("set_id").set_index("set_id")["cluster"].to_dict()


def data_of(page: Path) -> Any:
    block = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    return json.loads(block[1])


# ---- drawing ----


def test_sets_are_of_one_cluster_and_do_not_overlap(clustering, matching, tmp_path):
    assert list(matching) == ["set_id", "place", "cluster", "description", "image_id", "path"]
    assert matching.groupby("set_id").size().tolist() == [3] * 6
    assert matching.groupby("cluster")["set_id"].nunique().to_dict() == {1: 2, 2: 2, 3: 2}
    assert not matching["image_id"].duplicated().any()
    cluster_of = clustering.images.set_index("image_id")["cluster"]
    assert (matching["image_id"].map(cluster_of) == matching["cluster"]).all()
    assert (matching["description"] == matching["cluster"].map(NAMES)).all()
    stored = pd.read_csv(tmp_path / "page-key.csv", dtype={"image_id": str})
    pd.testing.assert_frame_equal(stored, matching)


def test_the_page_does_not_give_the_answer_away(matching, tmp_path):
    data = data_of(tmp_path / "page.html")
    assert data["kind"] == "matching"
    assert [name for name, _ in data["sets"]] == matching["set_id"].unique().tolist()
    assert sorted(map(tuple, data["options"])) == sorted(NAMES.items())
    assert matching["path"].iloc[0] not in (tmp_path / "page.html").read_text()
    assert [len(members) for _, members in data["sets"]] == [3] * 6


def test_small_clusters_repeat_images_between_sets_only():
    images = pd.DataFrame({"image_id": list("abcde")})
    sets = _members(images, 4, 3, np.random.default_rng(0))
    assert [one["image_id"].nunique() for one in sets] == [3] * 4
    counts = pd.concat(sets)["image_id"].value_counts()
    assert set(counts.index) == set("abcde")
    assert counts.max() <= 4


def test_intruders_are_of_another_cluster(clustering, tmp_path):
    with pytest.warns(UserWarning, match="1 of 4 clusters have fewer than 5 images"):
        key = export_test(
            clustering, tmp_path / "page.html", kind="intruders", n_sets=2, progress=False
        )
    cluster_of = clustering.images.set_index("image_id")["cluster"]
    assert (key["image_id"].map(cluster_of) == key["image_cluster"]).all()
    assert (key["intruder"] == (key["image_cluster"] != key["cluster"])).all()
    assert (key["image_cluster"] > 0).all()
    assert key.groupby("set_id")["intruder"].sum().tolist() == [1] * 6
    assert key.groupby("set_id").size().tolist() == [6] * 6
    assert key.loc[key["intruder"], "place"].nunique() > 1


def test_the_seed_decides(clustering, matching, tmp_path):
    again = export_test(
        clustering, tmp_path / "b.html", descriptions=NAMES, n_sets=2, progress=False
    )
    pd.testing.assert_frame_equal(again, matching)
    other = export_test(
        clustering, tmp_path / "c.html", descriptions=NAMES, n_sets=2, seed=1, progress=False
    )
    assert other["image_id"].tolist() != matching["image_id"].tolist()


# ---- reading ----


def test_matching_by_hand(matching, tmp_path):
    truth = truth_of(matching)
    one, other = [name for name in truth if truth[name] == 3]
    files = [
        # All right but for one set of cluster 3, which two of three take for cluster 1.
        answer_file(tmp_path / "a.csv", "Ann", truth | {one: 1}),
        answer_file(tmp_path / "b.csv", "Bo", truth | {one: 1, other: 2}),
        answer_file(tmp_path / "c.csv", "Cy", truth),
    ]
    found = read_test(files, matching)
    table = found.clusters.set_index("cluster")
    assert table["precision"].tolist() == pytest.approx([2 / 3, 1, 1])
    assert table["recall"].tolist() == [1, 1, 0.5]
    assert table["description"].to_dict() == NAMES
    line = found.summary.iloc[0]
    assert line["accuracy"] == pytest.approx(5 / 6)
    assert line["precision"] == pytest.approx(8 / 9)
    assert (line["n_sets"], line["n_annotators"], line["share_majority"]) == (6, 3, 1)
    assert line["chance"] == pytest.approx(1 / 3)
    kappas = found.agreement.query("measure == 'cohen_kappa'").set_index("annotators")["estimate"]
    assert line["kappa"] == pytest.approx(kappas.drop("all").mean())
    assert found.confusion.values.tolist() == [[1, 1, 2], [2, 2, 2], [3, 1, 1], [3, 3, 1]]
    stored = read_test(files, tmp_path / "page-key.csv")
    pd.testing.assert_frame_equal(stored.clusters, found.clusters)


def test_where_all_differ_the_first_annotator_counts(matching, tmp_path):
    truth = truth_of(matching)
    name = next(iter(truth))
    files = [
        answer_file(tmp_path / f"{who}.csv", who, truth | {name: answer})
        for who, answer in (("z", 2), ("a", 1), ("m", 3))
    ]
    row = read_test(files, matching).sets.set_index("set_id").loc[name]
    assert row["label"] == 2
    assert not row["majority"]


def test_one_annotator_and_missing_sets(matching, tmp_path):
    truth = dict(list(truth_of(matching).items())[:4])
    file = answer_file(tmp_path / "a.csv", "Ann", truth)
    with pytest.warns(UserWarning, match="2 of 6 sets have no answer"):
        found = read_test(file, matching)
    assert found.agreement.empty
    assert np.isnan(found.summary["kappa"].iloc[0])
    assert found.summary["n_sets"].iloc[0] == 4


def test_intruders_by_hand(intruders, tmp_path):
    hidden = intruders[intruders["intruder"]].set_index("set_id")["image_id"].to_dict()
    first = intruders.groupby("set_id")["image_id"].first().to_dict()
    wrong = {
        name: intruders.query("set_id == @name and not intruder")["image_id"].iloc[0]
        for name in hidden
    }
    names = list(hidden)
    files = [
        answer_file(tmp_path / "a.csv", "Ann", hidden),
        answer_file(tmp_path / "b.csv", "Bo", hidden | {names[0]: wrong[names[0]]}),
    ]
    found = read_test(files, intruders)
    shares = found.sets.set_index("set_id")["share_found"]
    assert shares[names[0]] == 0.5
    assert shares.drop(names[0]).eq(1).all()
    line = found.summary.iloc[0]
    assert line["share_found"] == pytest.approx(11 / 12)
    assert line["chance"] == pytest.approx(1 / 6)
    assert line["conf_low"] < 11 / 12 < line["conf_high"]
    # Five sets on which both agree, and one on which one of two chosen images is right.
    assert line["p_value"] == pytest.approx((1 / 6) ** 5 * (2 / 6))
    assert (found.sets["n_images"] == 6).all()
    assert found.clusters["share_found"].tolist().count(1) == 2
    guessed = read_test(answer_file(tmp_path / "g.csv", "Guess", wrong), intruders)
    assert guessed.summary["share_found"].iloc[0] == 0
    assert guessed.summary["p_value"].iloc[0] == 1
    assert len(first) == 6


@pytest.mark.parametrize("n_found", [0, 1, 3, 6])
def test_one_annotator_guesses_as_the_binomial_says(intruders, tmp_path, n_found):
    from scipy.stats import binomtest

    hidden = intruders[intruders["intruder"]].set_index("set_id")["image_id"]
    other = intruders[~intruders["intruder"]].groupby("set_id")["image_id"].first()
    right = np.arange(len(hidden)) < n_found
    answers = hidden.where(right, other[hidden.index]).to_dict()
    line = read_test(answer_file(tmp_path / "a.csv", "Ann", answers), intruders).summary
    expected = binomtest(n_found, 6, 1 / 6, alternative="greater").pvalue
    assert line["p_value"].iloc[0] == pytest.approx(expected)


def test_guessing_in_sets_of_different_sizes_by_simulation():
    """Three annotators, who agree now and then, on sets of two to five images."""
    votes = {"s1": [3], "s2": [2, 1], "s3": [1, 1, 1], "s4": [2, 1], "s5": [1, 2]}
    sizes = pd.Series({"s1": 2, "s2": 3, "s3": 4, "s4": 5, "s5": 5})
    rows = [
        (name, f"{name}-{image}")
        for name, counts in votes.items()
        for image, count in enumerate(counts)
        for _ in range(count)
    ]
    answers = pd.DataFrame(rows, columns=["set_id", "answer"])
    answers["found"] = np.arange(len(answers)) < 6
    rng = np.random.default_rng(0)
    total = np.zeros(200_000)
    for name, counts in votes.items():
        padded = np.pad(counts, (0, sizes[name] - len(counts)))
        total += rng.choice(padded, size=len(total))
    assert _p_value(answers, sizes) == pytest.approx(np.mean(total >= 6), abs=0.004)
    assert _p_value(answers.assign(found=False), sizes) == 1


def test_chance_is_the_mean_over_sets_of_different_sizes(intruders, tmp_path):
    """Where a set has lost images, its intruder is easier to guess."""
    hidden = intruders[intruders["intruder"]].set_index("set_id")["image_id"].to_dict()
    first = next(iter(hidden))
    lost = (intruders["set_id"] == first) & ~intruders["intruder"] & (intruders["place"] > 3)
    key = intruders[~lost]
    found = read_test(answer_file(tmp_path / "a.csv", "Ann", hidden), key)
    size = int((key["set_id"] == first).sum())
    assert found.summary["chance"].iloc[0] == pytest.approx((5 / 6 + 1 / size) / 6)
    assert found.summary["p_value"].iloc[0] == pytest.approx((1 / 6) ** 5 / size)


def test_descriptions_that_are_never_chosen_count_as_0(matching, tmp_path):
    """As scikit-learn counts them."""
    from sklearn.metrics import precision_score, recall_score

    truth = truth_of(matching)
    given = {name: 1 if cluster == 3 else cluster for name, cluster in truth.items()}
    line = read_test(answer_file(tmp_path / "a.csv", "Ann", given), matching).summary.iloc[0]
    both = list(truth.values()), list(given.values())
    for measure, theirs in (("precision", precision_score), ("recall", recall_score)):
        value = theirs(*both, average="macro", zero_division=0)
        assert line[measure] == pytest.approx(value)
    # A cluster that is neither among the answered sets nor among the answers says nothing.
    few = {name: cluster for name, cluster in truth.items() if cluster != 3}
    with pytest.warns(UserWarning, match="2 of 6 sets have no answer"):
        found = read_test(answer_file(tmp_path / "b.csv", "Ann", few), matching)
    assert found.summary[["precision", "recall"]].iloc[0].tolist() == [1, 1]
    wrong = few | {next(iter(few)): 3}
    with pytest.warns(UserWarning, match="2 of 6 sets have no answer"):
        found = read_test(answer_file(tmp_path / "c.csv", "Ann", wrong), matching)
    assert found.summary["recall"].iloc[0] == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_sets_of_one_cluster_that_are_alike_count_as_fewer():
    """By hand, then by how often the interval holds the share of all such clusters."""
    assert clustered_wilson([5, 0, 5, 0], [5, 5, 5, 5]) == pytest.approx(wilson(1.5, 3))
    assert clustered_wilson([3, 2, 2, 3], [5, 5, 5, 5]) == pytest.approx(wilson(10, 20))
    assert clustered_wilson([5, 5], [5, 5]) == pytest.approx(wilson(10, 10))
    rng = np.random.default_rng(1)
    inside = np.zeros(2)
    for _ in range(1000):
        found = rng.binomial(5, rng.beta(2.1, 0.9, 32))  # .7 on average, correlation .25
        for place, (low, high) in enumerate(
            (clustered_wilson(found, np.full(32, 5)), wilson(found.sum(), 160))
        ):
            inside[place] += low <= 0.7 <= high
    assert 0.93 < inside[0] / 1000 < 0.97
    assert inside[1] / 1000 < 0.88


def test_wilson_is_that_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in ((0, 5), (3, 10), (10, 10)):
        expected = proportion_confint(hits, n, method="wilson")
        assert [float(end) for end in wilson(hits, n)] == pytest.approx(expected, abs=1e-6)


def test_keywords_describe_clusters(clustering, tmp_path):
    keywords = pd.DataFrame(
        {"cluster": [2, 1, 1, 2], "rank": [1, 2, 1, 2], "term": ["sea", "flag", "crowd", "boat"]}
    )
    out = tmp_path / "page.html"
    key = export_test(clustering, out, descriptions=keywords, n_sets=2, progress=False)
    found = dict(key[["cluster", "description"]].drop_duplicates().to_numpy())
    assert found == {1: "crowd, flag", 2: "sea, boat"}


# ---- bad input ----


@pytest.mark.parametrize(
    ("descriptions", "message"),
    [
        ({1: "red", 9: "no"}, "1 of 2 described clusters do not exist, 9"),
        ({1: "red", 2: " "}, "1 of 2 clusters have no description, 2"),
        ({1: "red", 2: "red"}, "1 of 2 rows repeat a description, 'red'"),
        ({1: "red", 4: "small"}, "1 of 2 clusters have 3 images or more"),
        (["red", "blue"], r"result of cluster_keywords\(\); got a list"),
        (pd.DataFrame({"cluster": [1], "word": ["red"]}), "it has cluster, word"),
    ],
)
def test_bad_descriptions(clustering, tmp_path, descriptions, message):
    with pytest.raises(ImagestrataError, match=message):
        export_test(clustering, tmp_path / "page.html", descriptions=descriptions)


def test_bad_files(clustering, matching, tmp_path):
    with pytest.raises(ImagestrataError, match="exists already"):
        export_test(clustering, tmp_path / "page.html", descriptions=NAMES)
    with pytest.raises(ImagestrataError, match=r"ends in '\.html'"):
        export_test(clustering, tmp_path / "page.csv", descriptions=NAMES)
    truth = truth_of(matching)
    name = next(iter(truth))
    for answers, message in (
        ({"elsewhere": 1}, "1 of 1 answer are about sets that are not among the 6"),
        ({name: 7}, "1 of 1 answer are none of the 3 tested clusters: '7'"),
    ):
        file = answer_file(tmp_path / "bad.csv", "Ann", answers)
        with pytest.raises(ImagestrataError, match=message), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_test(file, matching)
    twice = pd.DataFrame({"set_id": [name] * 2, "annotator": "Ann", "judgement": [1, 2]})
    twice.to_csv(tmp_path / "twice.csv", index=False)
    with (
        pytest.raises(ImagestrataError, match="1 set has contradictory answers"),
        pytest.warns(UserWarning, match="5 of 6 sets"),
    ):
        read_test(tmp_path / "twice.csv", matching)
    with pytest.raises(ImagestrataError, match=r"lacks the column 'cluster'; it has set_id"):
        read_test(tmp_path / "bad.csv", matching[["set_id"]])
    with pytest.raises(ImagestrataError, match="needs two or more clusters, not 1"):
        export_test(clustering, tmp_path / "b.html", descriptions={1: NAMES[1]})
    with pytest.raises(ImagestrataError, match="not a DataFrame"):
        export_test(clustering.images, tmp_path / "b.html", kind="intruders")
    with pytest.raises(ImagestrataError, match="There is no cluster 8"):
        export_test(clustering, tmp_path / "b.html", kind="intruders", clusters=8)
    with pytest.raises(ImagestrataError, match="The residual, -1, is not a cluster"):
        export_test(clustering, tmp_path / "b.html", kind="intruders", clusters=[1, -1])


def test_images_that_are_gone_take_their_sets_with_them(tmp_path):
    clusters = [1] * 6 + [2] * 6
    paths = draw_images(tmp_path / "images", clusters)
    clustering = hand_made(paths, clusters)
    Path(paths[0]).unlink()
    with pytest.warns(UserWarning, match=r"1 of 4 sets are left out: 1 of \d+ images"):
        key = export_test(
            clustering, tmp_path / "p.html", descriptions={1: "a", 2: "b"}, n_sets=2, progress=False
        )
    assert key["set_id"].nunique() == 3


def test_excluded_images_are_in_no_set(clustering, tmp_path):
    """Others take their places; a cluster that has too few others is left out."""
    hidden = clustering.images["image_id"].iloc[:3].tolist()
    for kind, more in (("matching", {"descriptions": NAMES}), ("intruders", {})):
        page = tmp_path / f"{kind}.html"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fourth cluster is small
            key = export_test(
                clustering, page, kind=kind, n_sets=2, exclude=hidden, progress=False, **more
            )
        assert not key["image_id"].isin(hidden).any()
        assert not any(image_id in page.read_text() for image_id in hidden)
        assert key["set_id"].nunique() == 6
    most = clustering.images.query("cluster == 3")["image_id"].tolist()[:-1]
    with pytest.warns(UserWarning, match="1 of 3 clusters have fewer than 3 images"):
        export_test(
            clustering, tmp_path / "p.html", descriptions=NAMES, exclude=most, progress=False
        )


def test_options_belong_to_their_kind(clustering, tmp_path):
    page = tmp_path / "page.html"
    with pytest.raises(ImagestrataError, match=r"clusters=.* has no effect with kind=.matching"):
        export_test(clustering, page, descriptions=NAMES, clusters=[1, 2])
    with pytest.raises(
        ImagestrataError, match=r"`descriptions` has no effect with kind=.intruders"
    ):
        export_test(clustering, page, kind="intruders", descriptions=NAMES)
    with pytest.raises(ImagestrataError, match=r"result of cluster_keywords\(\); got None"):
        export_test(clustering, page)
    with pytest.raises(ImagestrataError, match="`kind` must be one of 'matching', 'intruders'"):
        export_test(clustering, page, kind="intruder")
    assert not page.exists()


def test_a_key_tells_its_kind(matching, tmp_path):
    file = answer_file(tmp_path / "a.csv", "Ann", truth_of(matching))
    with pytest.raises(ImagestrataError, match=r"neither the column 'description' .* 'intruder'"):
        read_test(file, matching.drop(columns="description"))
    found = read_test(file, tmp_path / "page.html")  # beside which the key lies
    assert found.kind == "matching"
    pd.testing.assert_frame_equal(found.clusters, read_test(file, matching).clusters)


# ---- in the browser ----


@pytest.mark.browser
def test_matching_with_the_keyboard(matching, tmp_path, visit):
    data = data_of(tmp_path / "page.html")
    truth = truth_of(matching)
    number = {cluster: place for place, (cluster, _) in enumerate(data["options"], 1)}
    visit.goto((tmp_path / "page.html").as_uri())
    begin(visit, "Ann")
    options = visit.locator("#options button")
    assert options.count() == 3
    expect_soon(visit.get_by_role("button", name="green & 'kind'")).to_be_visible()
    assert visit.locator("#set img").count() == 3
    wait_until(visit, "document.querySelector('#set img').naturalWidth > 0")
    for name, _ in data["sets"][:3]:
        visit.keyboard.press("7")  # no answer here
        visit.keyboard.press(str(number[truth[name]]))
    assert visit.locator("#place").inner_text() == "Set 4 of 6 · 3 judged"

    visit.reload()
    begin(visit, "Ann")
    visit.keyboard.press("ArrowLeft")
    pressed = options.nth(number[truth[data["sets"][2][0]]] - 1)
    assert pressed.get_attribute("aria-pressed") == "true"
    visit.keyboard.press("ArrowRight")
    for name, _ in data["sets"][3:]:
        options.nth(number[truth[name]] - 1).click()
    expect_soon(visit.get_by_text("All sets are judged. Thank you!")).to_be_visible()
    file = downloaded(visit, tmp_path)
    assert file.name == "matching-Ann.csv"
    assert read_test(file, matching).summary["accuracy"].iloc[0] == 1


@pytest.mark.browser
def test_two_digits(tmp_path, visit):
    clusters = np.repeat(np.arange(1, 13), 3).tolist()
    clustering = hand_made(draw_images(tmp_path / "images", [1] * 36), clusters)
    names = {cluster: f"word {cluster}" for cluster in range(1, 13)}
    page = tmp_path / "page.html"
    key = export_test(clustering, page, descriptions=names, n_sets=1, progress=False)
    options = [cluster for cluster, _ in data_of(page)["options"]]
    visit.goto(page.as_uri())
    begin(visit, "Ann")
    typed = [("12",), ("1", "Enter"), ("5",), ("1", "Escape", "3"), ("11",)]
    for keys in typed:
        for part in keys:
            for character in [part] if len(part) > 2 else part:
                visit.keyboard.press(character)
    assert visit.locator("#place").inner_text() == "Set 6 of 12 · 5 judged"
    answers = pd.read_csv(downloaded(visit, tmp_path)).set_index("set_id")["judgement"]
    order = key["set_id"].unique()[:5]
    assert answers[order].tolist() == [options[i - 1] for i in (12, 1, 5, 3, 11)]


@pytest.mark.browser
def test_intruders_with_the_mouse_and_the_keyboard(intruders, tmp_path, visit):
    hidden = intruders[intruders["intruder"]].set_index("set_id")["place"]
    visit.goto((tmp_path / "page.html").as_uri())
    begin(visit, "Bo")
    buttons = visit.locator("#set button")
    assert buttons.count() == 6
    expect_soon(visit.locator("#options")).to_be_hidden()
    for i, name in enumerate(intruders["set_id"].unique()):
        if i % 2:
            visit.keyboard.press(str(hidden[name]))
        else:
            buttons.nth(hidden[name] - 1).click()
    expect_soon(visit.get_by_text("All sets are judged")).to_be_visible()
    found = read_test(downloaded(visit, tmp_path), intruders)
    assert found.summary["share_found"].iloc[0] == 1


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(360, 640), (1280, 720)])
def test_nothing_sticks_out(clustering, tmp_path, visit, width, height):
    export_test(clustering, tmp_path / "page.html", descriptions=NAMES, progress=False)
    visit.set_viewport_size({"width": width, "height": height})
    visit.goto((tmp_path / "page.html").as_uri())
    begin(visit, "Ann")
    size = visit.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size[0] <= width
    assert size[1] <= height
    box = visit.locator("#set img").first.bounding_box()
    assert box["width"] > 40
    assert box["height"] > 100
