"""Labels in words by the two towers of a tiny CLIP, and their calibration."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from open_clip import factory
from PIL import Image
from safetensors.torch import save_file
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_keywords,
    compare_tags,
    embed_images,
    embed_text,
    label_shares,
    scan_images,
    tag_frequencies,
    tag_images,
)
from imagestrata.encoders import clip as clip_module
from imagestrata.errors import ImagestrataWarning
from imagestrata.provenance import read_run
from imagestrata.text.calibration import (
    Truth,
    calibrate_choice,
    calibrate_each,
    fit,
    folds_of,
    read_truth,
)
from imagestrata.text.zero_shot import ANY

#: Networks with the vocabulary of CLIP: one as in the paper, one that answers about each caption
#: alone, as SigLIP.
TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2
    },
}  # fmt: skip
NETWORKS = {
    "tiny-words": TINY,
    "tiny-alone": TINY | {"init_logit_scale": 2.0, "init_logit_bias": -1.0},
}
LABELS = {
    "protest": ["a photo of a protest", "people marching with signs"],
    "flag": "a flag",
    "other": ["something else", "a photo"],
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the weights of both."""
    folder = tmp_path_factory.mktemp("clip")
    for name, config in NETWORKS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "_MODEL_CONFIG_PATHS", [*factory._MODEL_CONFIG_PATHS])
        patch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
        open_clip.add_model_config(folder)
        for name in NETWORKS:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                torch.save(open_clip.create_model(name).state_dict(), folder / f"{name}.pth")
        yield folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = write_pictures(tmp_path_factory.mktemp("corpus"), 30)
    return scan_images(folder, progress=False)


def tag(
    images: Any, clip: Path, name: str = "tiny-words", labels: Any = LABELS, **options: Any
) -> pd.DataFrame:
    options = {"precision": "float32", "device": "cpu", "progress": False} | options
    return tag_images(
        images, f"clip:{name}", labels=labels, weights=clip / f"{name}.pth", **options
    )


def wide(tags: pd.DataFrame, names: list[str] | None = None) -> pd.DataFrame:
    """Confidences with a row per image and a column per label."""
    table = tags.pivot(index="image_id", columns="label", values="confidence")
    return table[names or [*LABELS]].loc[tags["image_id"].unique()]


def theirs(name: str, clip: Path, paths: list[str]) -> tuple[Any, float, float | None]:
    """Cosines by open_clip itself, its scale and its bias."""
    model, _, prepare = open_clip.create_model_and_transforms(
        name, pretrained=str(clip / f"{name}.pth")
    )
    tokens = open_clip.get_tokenizer(name)
    with torch.inference_mode():
        batch = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
        vectors = model.eval().encode_image(batch, normalize=True)
        means = []
        for prompts in [*LABELS.values(), [*ANY]]:
            several = [prompts] if isinstance(prompts, str) else prompts
            mean = model.encode_text(tokens(several), normalize=True).mean(dim=0)
            means.append(mean / mean.norm())
        cosines = (vectors @ torch.stack(means).T).numpy().astype(float)
        bias = None if model.logit_bias is None else float(model.logit_bias)
        return cosines, float(model.logit_scale.exp()), bias


# ---- confidences ----


def test_those_of_open_clip_itself(images: pd.DataFrame, clip: Path) -> None:
    tags = tag(images, clip)
    columns = ["image_id", "path", "file", "rank", "label", "confidence", "decision", "split"]
    assert tags.columns.tolist() == [*columns, "annotator", "reason"]
    assert (tags["annotator"] == "model:clip:tiny-words").all()
    assert len(tags) == 90  # all labels
    cosines, scale, _ = theirs("tiny-words", clip, images["path"].tolist())
    expected = np.exp(scale * cosines[:, :3])
    expected /= expected.sum(axis=1, keepdims=True)
    found = wide(tags).loc[images["image_id"]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert found.sum(axis=1) == pytest.approx(np.ones(30))
    assert tags["decision"].tolist() == (tags["rank"] == 1).tolist()
    assert tags["split"].isna().all() and tags["reason"].isna().all()


def test_labels_that_do_not_exclude_each_other(images: pd.DataFrame, clip: Path) -> None:
    with pytest.warns(ImagestrataWarning, match="was trained to choose between captions"):
        tags = tag(images, clip, exclusive=False)
    cosines, scale, _ = theirs("tiny-words", clip, images["path"].tolist())
    expected = expit(scale * (cosines[:, :3] - cosines[:, 3:]))
    found = wide(tags).loc[images["image_id"]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert tags["decision"].tolist() == (tags["confidence"] >= 0.5).tolist()


@pytest.mark.filterwarnings("error")
def test_a_network_that_answers_about_each_caption(images: pd.DataFrame, clip: Path) -> None:
    tags = tag(images, clip, "tiny-alone", exclusive=False)
    cosines, scale, bias = theirs("tiny-alone", clip, images["path"].tolist())
    assert bias == -1
    found = wide(tags).loc[images["image_id"]].to_numpy()
    np.testing.assert_allclose(found, expit(scale * cosines[:, :3] - 1), atol=0.01)


def test_a_plain_label_is_its_caption(images: pd.DataFrame, clip: Path) -> None:
    plain = tag(images, clip, labels=["a flag", "a cat"])
    named = tag(images, clip, labels={"a flag": "a flag", "a cat": ["a cat"]})
    pd.testing.assert_frame_equal(plain, named)
    assert {*plain["label"]} == {"a flag", "a cat"}


def test_few_and_confident_labels(images: pd.DataFrame, clip: Path) -> None:
    assert len(tag(images, clip, n_tags=1)) == 30
    none = tag(images, clip, min_confidence=1.0)
    assert none["reason"].tolist() == ["below min_confidence"] * 30
    assert none["decision"].isna().all()


def test_only_decisions_count(images: pd.DataFrame, clip: Path) -> None:
    tags = tag(images, clip)
    best = tags[tags["rank"] == 1]
    counted = tag_frequencies(tags)
    assert counted["n_images"].sum() == 30
    assert (
        counted.set_index("label")["n_images"].to_dict() == best["label"].value_counts().to_dict()
    )
    labels = best[["image_id", "label"]].rename(columns={"label": "kind"})
    compared = compare_tags(tags, labels)
    assert compared.summary["accuracy"].item() == 1
    assert compared.confusion.query("truth != decision")["n"].sum() == 0


def test_keywords_are_of_decisions() -> None:
    topics = Clustering.from_labels(np.eye(4, dtype=np.float32), [1, 1, 2, 2])
    tags = pd.DataFrame(
        {
            "image_id": topics.images["image_id"].repeat(2),
            "label": ["flag", "cat"] * 4,
            "decision": [True, False] * 2 + [False, True] * 2,
        }
    )
    words = cluster_keywords(topics, tags, column="label", separator=";")
    assert words[["cluster", "term"]].to_numpy().tolist() == [[1, "flag"], [2, "cat"]]


@pytest.mark.filterwarnings("error")
def test_texts_are_of_decisions() -> None:
    tags = pd.DataFrame(
        {
            "image_id": list("aabbccdd"),
            "label": ["flag", "cat"] * 4,
            "decision": [True, False, True, False, False, True, False, True],
            "split": [None, "fold"] * 4,
        }
    )
    best = tags[tags["decision"]]
    both = [embed_text(one, "tfidf", column="label", progress=False).matrix for one in (tags, best)]
    np.testing.assert_array_equal(*both)


def test_stored_and_resumed(
    images: pd.DataFrame, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    tags = tag(images, clip, out=run)
    monkeypatch.setattr(clip_module.ClipEncoder, "encode", None)  # nothing is computed again
    pd.testing.assert_frame_equal(tag(images, clip, out=run), tags)
    with pytest.raises(ImagestrataError, match="'tag'"):
        tag(images, clip, out=run, calibrate=by_hand(tags, 15))


def test_vectors_in_the_run_folder_are_used(
    images: pd.DataFrame, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    weights = clip / "tiny-words.pth"
    embed_images(
        images, "clip:tiny-words", weights=weights, precision="float32", device="cpu", out=run,
        progress=False,
    )  # fmt: skip
    monkeypatch.setattr(clip_module.ClipEncoder, "encode", None)  # nothing is computed again
    truth = by_hand(tag(images, clip, out=run), 20)
    again = tag(images, clip, out=run, calibrate=truth, overwrite=True)
    assert (again["split"] == "fold").sum() == 60
    step = read_run(run)["steps"]["tag"]
    assert step["counts"]["labelled"] == 20 and step["counts"]["slope"] > 0
    assert {*step["counts"]["constants"]} == {*LABELS}
    assert Embeddings.load(run).matrix.shape == (30, 24)


# ---- calibration ----


def by_hand(tags: pd.DataFrame, n: int) -> pd.DataFrame:
    """Labels by people that mostly agree with what sets an image apart from the others."""
    rng = np.random.default_rng(0)
    logs = np.log(wide(tags))
    best = (logs - logs.mean()).idxmax(axis=1).head(n)
    said = np.where(rng.random(n) < 0.2, rng.choice([*LABELS], n), best)
    return pd.DataFrame({"image_id": best.index, "code": "kind", "label": said})


def test_labelled_images_are_out_of_fold(images: pd.DataFrame, clip: Path) -> None:
    plain = tag(images, clip)
    truth = by_hand(plain, 24)
    tags = tag(images, clip, calibrate=truth)
    assert wide(tags).sum(axis=1).to_numpy() == pytest.approx(np.ones(30))
    labelled = tags["image_id"].isin(truth["image_id"])
    assert (tags["split"] == "fold").tolist() == labelled.tolist()
    # Changing one image's own label does not change its fold's slope or constants.
    order = images["image_id"].tolist()
    scores = np.log(wide(plain).loc[order].to_numpy())
    given = read_truth(truth, order, [*LABELS], True)
    known = ~np.isnan(given.answers[:, 0])
    folds = folds_of(given.answers[known])
    first = folds == 0
    alone = fit(scores[known][~first], given.answers[known][~first], np.ones((~first).sum()))
    found = wide(tags).loc[order].to_numpy()
    np.testing.assert_allclose(found[known][first], alone(scores[known][first]), atol=1e-5)
    whole = fit(scores[known], given.answers[known], np.ones(known.sum()))
    np.testing.assert_allclose(found[~known], whole(scores[~known]), atol=1e-5)


def test_labels_from_a_file(images: pd.DataFrame, clip: Path, tmp_path: Path) -> None:
    truth = by_hand(tag(images, clip), 24)
    truth.to_csv(tmp_path / "labels.csv", index=False)
    pd.testing.assert_frame_equal(
        tag(images, clip, calibrate=tmp_path / "labels.csv"), tag(images, clip, calibrate=truth)
    )


@pytest.mark.filterwarnings("error")
def test_each_label_alone(images: pd.DataFrame, clip: Path) -> None:
    names = ["protest", "flag"]
    labels = {name: LABELS[name] for name in names}
    logs = np.log(wide(tag(images, clip)))[names].head(25)
    said = (
        (logs - logs.mean() > 0).reset_index().melt("image_id", var_name="code", value_name="label")
    )
    truth = said.drop(index=0)  # an image that nobody coded for protest
    tags = tag(images, clip, "tiny-alone", labels=labels, calibrate=truth, exclusive=False)
    folds = tags[tags["split"] == "fold"]
    assert folds["label"].value_counts().to_dict() == {"protest": 24, "flag": 25}
    merged = folds.merge(
        truth, left_on=["image_id", "label"], right_on=["image_id", "code"], suffixes=("", "_said")
    )
    said_so = merged["label_said"].astype(float)
    assert np.corrcoef(merged["confidence"], said_so)[0, 1] > 0.3


def test_tags_are_predictions(images: pd.DataFrame, clip: Path) -> None:
    """All labels of all images are there, and confidences count as probabilities."""
    ids = images["image_id"].tolist()
    sample = pd.DataFrame({"image_id": ids[:20], "cluster": 1, "N_h": 30, "n_h": 20})
    people = by_hand(tag(images, clip), 20)
    tags = tag(images, clip, calibrate=people.merge(sample))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is unknown about how the network has seen labels
        shares = label_shares(people, tags, sample)
    assert shares["method"].tolist() == ["machine", "sample", "corrected"] * 3
    assert shares["n_predicted"].eq(30).all() and shares["n_labelled"].eq(20).all()
    named = tags.rename(columns={"confidence": "probability"})
    pd.testing.assert_frame_equal(label_shares(people, named, sample), shares)
    chosen = tags[tags["decision"]].groupby("label").size() / 30
    machine = shares[shares["method"] == "machine"].set_index("label")["estimate"]
    assert machine[chosen.index].to_dict() == pytest.approx(chosen.to_dict())


# ---- the fit ----


def test_worked_by_hand() -> None:
    """Equal scores: each image has the mean of Platt's targets, 4/5 for three, 1/9 for seven."""
    yes = np.array([1.0] * 3 + [0.0] * 7)
    found = fit(np.zeros((10, 2)), np.column_stack([yes, 1 - yes]), np.ones(10))
    mean = (3 * 4 / 5 + 7 * 1 / 9) / 10
    np.testing.assert_allclose(found(np.zeros((1, 2))), [[mean, 1 - mean]], atol=1e-8)
    # Of three labels with 3, 2 and 0 images: (N + 1) / (N + 3) for the own, 1 / (N + 3) for others.
    given = np.eye(3)[[0, 0, 0, 1, 1]]
    three = fit(np.zeros((5, 3)), given, np.ones(5))(np.zeros((1, 3)))
    first, second, third = 3 * 4 / 6 + 2 * 1 / 5, 3 * 1 / 6 + 2 * 3 / 5, 3 * 1 / 6 + 2 * 1 / 5
    np.testing.assert_allclose(three, [[first / 5, second / 5, third / 5]], atol=1e-6)


def test_two_labels_are_platt_scaling() -> None:
    """Against a direct minimisation of Platt's own criterion, and against scikit-learn."""
    rng = np.random.default_rng(0)
    score = rng.normal(size=60)
    yes = (rng.random(60) < expit(2 * score - 1)).astype(float)
    n_yes, n_no = yes.sum(), (1 - yes).sum()
    targets = np.where(yes == 1, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))

    def loss(ab: Any) -> float:
        p = expit(ab[0] * score + ab[1])
        return float(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum())

    direct = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-8}).x
    found = fit(
        np.column_stack([score, np.zeros(60)]), np.column_stack([yes, 1 - yes]), np.ones(60)
    )
    assert found.slope == pytest.approx(direct[0], abs=1e-5)
    assert found.constants[0] - found.constants[1] == pytest.approx(direct[1], abs=1e-5)
    doubled = LogisticRegression(C=1e10, tol=1e-10, max_iter=10000).fit(
        np.tile(score, 2)[:, None],
        np.repeat([1, 0], 60),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    assert found.slope == pytest.approx(doubled.coef_[0, 0], abs=1e-4)


def test_true_probabilities_stay_as_they_are() -> None:
    """Scores that are logits of a large sample: slope 1, constants 0."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(40_000, 3)) * 2
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    drawn = (rng.random(40_000)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    given = np.eye(3)[np.minimum(drawn, 2)]
    found = fit(scores, given, np.ones(40_000))
    assert found.slope == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(found.constants, 0, atol=0.05)
    hot = fit(scores * 20, given, np.ones(40_000))
    assert hot.slope == pytest.approx(found.slope / 20, rel=1e-4)


def test_weights_are_repetitions() -> None:
    rng = np.random.default_rng(2)
    scores, given = rng.normal(size=(40, 3)), np.eye(3)[rng.integers(0, 3, 40)]
    times = rng.integers(1, 4, 40)
    once = fit(scores, given, times.astype(float))
    repeated = fit(
        np.repeat(scores, times, axis=0), np.repeat(given, times, axis=0), np.ones(times.sum())
    )
    # The counts of Platt's targets are those of images, so that weights do not invent any.
    assert once.slope == pytest.approx(repeated.slope, abs=0.05)


def test_calibration_brings_shares_to_the_truth() -> None:
    """An overconfident network that sees protest everywhere: calibrated means are the shares."""
    rng = np.random.default_rng(3)
    truth = np.eye(2)[(rng.random(2000) > 0.1).astype(int)]
    scores = 20 * (truth * 0.4 + rng.normal(size=(2000, 2)) * 0.3) + np.array([10.0, 0.0])
    answers = truth.copy()
    answers[500:] = np.nan
    found = calibrate_choice(scores, Truth(answers, np.ones(2000)), ["protest", "other"])
    assert found.out_of_fold[:500].all() and not found.out_of_fold[500:].any()
    share = found.probabilities[500:, 0].mean()
    assert share == pytest.approx(truth[500:, 0].mean(), abs=0.03)
    raw = 1 / (1 + np.exp(scores[500:, 1] - scores[500:, 0]))
    assert raw.mean() > 0.5


def test_scores_that_contradict_the_labels() -> None:
    yes = np.tile([1.0, 0.0], 20)
    truth = Truth(yes[:, None], np.ones(40))
    with pytest.warns(ImagestrataWarning, match="say nothing about 'protest'"):
        found = calibrate_each(np.where(yes == 1, -1.0, 1.0)[:, None], truth, ["protest"])
    assert found.fits[0].slope == 0


# ---- labels by hand ----

IDS = [f"i{number:02d}" for number in range(20)]


def test_sampling_probabilities_become_weights() -> None:
    table = pd.DataFrame({"image_id": IDS[:12], "label": ["a", "b"] * 6})
    two = [*"ab"]
    assert read_truth(table, IDS, two, True).weights.tolist() == [1.0] * 20
    several = {
        "inclusion_probability": {"inclusion_probability": 0.25},
        "N_h": {"N_h": 8, "n_h": 2},
        "weight_corpus": {"weight_corpus": 4},
    }
    for name, columns in several.items():
        weights = read_truth(table.assign(**columns), IDS, two, True).weights
        assert weights.tolist() == [4.0] * 12 + [1.0] * 8, name
    with pytest.raises(ImagestrataError, match="sampling probability of a labelled image"):
        read_truth(table.assign(inclusion_probability=0), IDS, two, True)


def test_one_binary_code_says_both_of_two_labels() -> None:
    table = pd.DataFrame({"image_id": IDS[:10], "code": "protest", "label": [1, 0] * 5})
    found = read_truth(table, IDS, ["other", "protest"], True).answers
    assert found[:2].tolist() == [[0, 1], [1, 0]] and np.isnan(found[10:]).all()
    alone = read_truth(table, IDS, ["other", "protest"], False).answers
    assert np.isnan(alone[:, 0]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "c"}, "No code or label in `calibrate` is one of the labels"),
        ({"label": ["a"] * 11 + ["c"]}, "has the label 'c' for 1 image, which is not among"),
        ({"image_id": [IDS[0]] * 2 + IDS[2:12]}, "several labels of the image 'i00'"),
        ({"label": [None] * 6 + ["a", "b"] * 3}, "has labels for 6 images of these"),
    ],
)  # fmt: skip
def test_labels_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    table = pd.DataFrame({"image_id": IDS[:12], "label": ["a", "b"] * 6}).assign(**change)
    with pytest.raises(ImagestrataError, match=message):
        read_truth(table, IDS, ["a", "b"], True)


def test_other_labels_that_do_not_fit() -> None:
    table = pd.DataFrame({"image_id": IDS[:12], "label": ["a", "b"] * 6})
    with pytest.warns(ImagestrataWarning, match="2 of 12 labels in `calibrate` belong to images"):
        read_truth(table, IDS[2:], ["a", "b"], True)
    twice = pd.concat([table.assign(code="x"), table.assign(code="y")])
    with pytest.raises(ImagestrataError, match="has several codes for these labels: x, y"):
        read_truth(twice, IDS, ["a", "b"], True)
    codes = pd.concat([table.assign(code=code, label=1) for code in ("a", "b")])
    with pytest.raises(ImagestrataError, match="none or several of the labels for 12 images"):
        read_truth(codes, IDS, ["a", "b"], True)
    with pytest.raises(ImagestrataError, match="codes for 1 of 3 labels"):
        read_truth(codes[codes["code"] == "a"], IDS, ["a", "b", "c"], True)
    same = Truth(np.tile([1.0, 0.0], (20, 1)), np.ones(20))
    with pytest.raises(ImagestrataError, match="have the same label"):
        calibrate_choice(np.zeros((20, 2)), same, ["a", "b"])
    with pytest.raises(ImagestrataError, match="no label of the code 'b'"):
        calibrate_each(
            np.zeros((20, 2)), Truth(np.column_stack([[0, 1] * 10, [np.nan] * 20]), np.ones(20)),
            ["a", "b"],
        )  # fmt: skip


# ---- mistakes ----


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "`labels` must be the captions"),
        ("a protest", "`labels` must be the captions"),
        (["a protest"], "has 1 of the labels that exclude each other"),
        (["a", "A"], "contains 'A' twice"),
        ({"a": [], "b": "b"}, "The label 'a' in `labels` must have captions"),
        ({"a": 3, "b": "b"}, "must have captions in words, not 3"),
    ],
)
def test_bad_labels(images: pd.DataFrame, clip: Path, labels: Any, message: str) -> None:
    with pytest.raises(ImagestrataError, match=message):
        tag(images, clip, labels=labels)


def test_the_image_tower_alone(images: pd.DataFrame, clip: Path, tmp_path: Path) -> None:
    state = torch.load(clip / "tiny-words.pth")
    tower = tmp_path / "tower.safetensors"
    save_file({key: one for key, one in state.items() if key.startswith("visual.")}, tower)
    with pytest.raises(ImagestrataError, match="the image tower of clip:tiny-words alone"):
        tag_images(images, "clip:tiny-words", labels=LABELS, weights=tower, progress=False)


def test_for_clip_only(images: pd.DataFrame) -> None:
    with pytest.raises(ImagestrataError, match=r"exclusive=False has no effect.*only with CLIP"):
        tag_images(images, exclusive=False, progress=False)
    with pytest.raises(ImagestrataError, match="costs nothing"):
        tag_images(images, "clip:ViT-B-32", labels=["a", "b"], budget=3, progress=False)
