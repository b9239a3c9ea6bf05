"""sample_images: the published design, budgets, and weights that lead back to the corpus."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import ImagestrataError, sample_images


def table(sizes: dict[int, int]) -> pd.DataFrame:
    clusters = [cluster for cluster, size in sizes.items() for _ in range(size)]
    ids = [f"{i:04d}" for i in range(len(clusters))]
    return pd.DataFrame(
        {"image_id": ids, "path": [f"/x/{i}.jpg" for i in ids], "cluster": clusters, "n_copies": 1}
    )


def n_by_cluster(sample: pd.DataFrame) -> dict[int, int]:
    return sample.groupby("cluster").size().to_dict()


def test_published_design_five_from_large_all_but_one_from_small():
    sizes = {1: 100, 2: 8, 3: 7, 4: 6, 5: 5, 6: 3, 7: 2, 8: 1}
    drawn = n_by_cluster(sample_images(table(sizes)))
    assert drawn == {1: 5, 2: 5, 3: 5, 4: 5, 5: 4, 6: 2, 7: 1}


def test_weights_of_a_tiny_case_by_hand():
    images = table({1: 4, 2: 2, -1: 3})
    images["n_copies"] = [10, 10, 10, 10, 3, 3, 1, 1, 1]
    sample = sample_images(images, n_per_cluster=2)
    assert sample["cluster"].tolist() == [1, 1, 2, -1, -1]
    assert sample["N_h"].tolist() == [4, 4, 2, 3, 3]
    assert sample["n_h"].tolist() == [2, 2, 1, 2, 2]
    assert sample["inclusion_probability"].tolist() == [0.5, 0.5, 0.5, 2 / 3, 2 / 3]
    assert sample["weight_corpus"].tolist() == [2, 2, 2, 1.5, 1.5]
    assert sample["weight_cluster"].tolist() == [0.5, 0.5, 1, 0.5, 0.5]
    assert sample["weight_share"].tolist() == [20, 20, 6, 1.5, 1.5]


def test_singles_and_residual_are_arguments():
    images = table({1: 5, 2: 1, -1: 4})
    assert n_by_cluster(sample_images(images)) == {-1: 3, 1: 4}
    assert n_by_cluster(sample_images(images, residual="drop")) == {1: 4}
    assert n_by_cluster(sample_images(images, singles=True)) == {-1: 3, 1: 4, 2: 1}


@pytest.mark.parametrize(
    ("allocation", "expected"),
    [
        ("equal", {1: 9, 2: 9, 3: 2}),
        ("proportional", {1: 16, 2: 3, 3: 1}),
        ("sqrt", {1: 12, 2: 6, 3: 2}),
    ],
)
def test_budget_by_hand(allocation, expected):
    # sqrt: 10 : 4.47 : 1.41 of 20 is 12.6, 5.6, 1.8; floors 12, 5, 1 and the two largest
    # remainders (.78 for the third stratum, .63 for the second, .59) get the missing images.
    images = table({1: 100, 2: 20, 3: 2})
    sample = sample_images(images, budget=20, allocation=allocation)
    assert n_by_cluster(sample) == expected


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    data=st.data(),
    allocation=st.sampled_from(["equal", "proportional", "sqrt"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_budget_is_met_and_weights_add_up(sizes, data, allocation, seed):
    images = table({i + 1: size for i, size in enumerate(sizes)})
    budget = data.draw(st.integers(len(sizes), sum(sizes)))
    sample = sample_images(images, budget=budget, allocation=allocation, singles=True, seed=seed)
    assert len(sample) == budget
    assert sample["image_id"].is_unique
    assert (sample["n_h"] <= sample["N_h"]).all()
    assert sample["weight_corpus"].sum() == pytest.approx(sum(sizes))
    assert sample["weight_cluster"].sum() == pytest.approx(len(sizes))
    shuffled = images.sample(frac=1, random_state=1)
    again = sample_images(shuffled, budget=budget, allocation=allocation, singles=True, seed=seed)
    pd.testing.assert_frame_equal(sample, again)


def test_every_image_is_equally_likely_within_its_cluster():
    images = table({1: 6, 2: 3})
    counts = pd.Series(0, index=images["image_id"])
    for seed in range(600):
        counts[sample_images(images, n_per_cluster=2, seed=seed)["image_id"]] += 1
    # 600 draws of 2 in 6: 200 expected, standard deviation 11.5; of 2 in 3: 400, same.
    assert counts.iloc[:6].between(150, 250).all()
    assert counts.iloc[6:].between(350, 450).all()


def test_a_clusters_sample_does_not_depend_on_the_others():
    alone = sample_images(table({1: 20}), seed=3)
    together = sample_images(table({1: 20, 2: 10}), seed=3)
    assert alone["image_id"].tolist() == together.query("cluster == 1")["image_id"].tolist()


def test_written_sample_is_read_back_and_other_settings_are_refused(tmp_path):
    images = table({1: 7, -1: 3})
    images["source"] = "paper"
    first = sample_images(images, out=tmp_path)
    again = sample_images(images, out=tmp_path)
    pd.testing.assert_frame_equal(first, again)
    assert (
        (tmp_path / "sample.csv").read_text().startswith("image_id,path,file,cluster,stratum,wave,")
    )
    with pytest.raises(ImagestrataError, match="seed=0, not with seed=1"):
        sample_images(images, seed=1, out=tmp_path)
    replaced = sample_images(images, seed=1, out=tmp_path, overwrite=True)
    pd.testing.assert_frame_equal(replaced, sample_images(images, seed=1, out=tmp_path))


def test_a_census_has_all_images_with_their_weights(tmp_path):
    images = table({1: 6, 2: 2, 3: 1, -1: 3})
    sample = sample_images(images, n_per_cluster=float("inf"), out=tmp_path)
    assert sorted(sample["image_id"]) == sorted(images["image_id"])
    assert (sample["n_h"] == sample["N_h"]).all()
    assert (sample["inclusion_probability"] == 1).all()
    assert (sample["weight_corpus"] == 1).all()
    assert sample.groupby("cluster")["weight_cluster"].sum().to_numpy() == pytest.approx([1] * 4)
    again = sample_images(images, n_per_cluster=np.inf, out=tmp_path)
    pd.testing.assert_frame_equal(sample, again)
    clustered = sample_images(images, n_per_cluster=np.inf, residual="drop")
    assert set(clustered["cluster"]) == {1, 2, 3}
    # A sample is completed, whatever joined the clusters since.
    first = sample_images(images.head(6), n_per_cluster=2)
    grown = images.assign(wave=[1] * 6 + [2] * 6)
    grown.loc[6:, "cluster"] = 1
    whole = sample_images(grown, n_per_cluster=np.inf, keep=first)
    assert len(whole) == 12
    assert (whole["weight_corpus"] == 1).all()
    with pytest.raises(ImagestrataError, match="budget"):
        sample_images(images, n_per_cluster=np.inf, budget=3)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"budget": 1}, "between 2 .* and 7"),
        ({}, {"budget": 8}, "between 2 .* and 7"),
        ({}, {"n_per_cluster": 0}, "at least 1"),
        ({}, {"allocation": "optimal"}, "'equal', 'sqrt', 'proportional'"),
        ({"cluster": None}, {}, "7 images have no id or no cluster"),
        ({"image_id": "a"}, {}, "6 image ids occur more than once"),
        ({"image_id": [*"aabcdef"]}, {}, "1 image id occurs more than once"),
        ({"n_copies": -1}, {}, "7 of 7 rows do not"),
        ({"n_copies": np.nan}, {}, "7 of 7 rows do not"),
        ({}, {"shares": "retweets"}, "lacks the column 'retweets'"),
    ],
)
def test_bad_input_is_named(change, arguments, message):
    images = table({1: 4, 2: 3}).assign(**change)
    with pytest.raises(ImagestrataError, match=message):
        sample_images(images, **arguments)


def test_a_residual_of_one_image_is_drawn():
    assert n_by_cluster(sample_images(table({1: 3, -1: 1}))) == {-1: 1, 1: 2}


def test_only_single_image_clusters():
    with pytest.raises(ImagestrataError, match="singles=True"):
        sample_images(table({1: 1, 2: 1}))
