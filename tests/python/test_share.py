"""A bundle holds what the study rests on, and nothing of who or where."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from images import picture
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    embed_images,
    export_packets,
    find_images,
    image_gallery,
    link_posts,
    plot_montage,
    relink,
    sample_images,
    sample_pairs,
    scan_images,
    share_bundle,
)
from imagestrata.clustering.silhouette import silhouettes
from imagestrata.clustering.vectors import as_vectors
from imagestrata.files import file_hash
from imagestrata.rows import unit_rows
from imagestrata.sampling.pairs import pair_id, read_drawn_pairs
from imagestrata.sampling.sample import read_sample
from imagestrata.share.bundle import MANIFEST, WARNING, linked_share, protected_matrix
from pages import wait_until

#: What a picture must not tell, in its EXIF.
SECRETS = {0x013B: "Quetzal Photographer", 0x010E: "Geheimnis: at home", 0x8298: "Copyright Zebu"}
N = 40


def draw(folder: Path) -> pd.DataFrame:
    """Photographs with names and EXIF that tell something, and a table that tells more."""
    folder.mkdir(parents=True)
    exif = Image.Exif()
    for tag, text in SECRETS.items():
        exif[tag] = text
    paths = []
    for i in range(N):
        name = f"portrait-of-subject{i:03d}.jpg"
        picture(i % 4).rotate(i).save(folder / name, exif=exif)
        paths.append(str(folder / name))
    (folder / "broken-witness.jpg").write_bytes(b"")
    paths.append(str(folder / "broken-witness.jpg"))
    captions = [f"caption about person{i:03d}" for i in range(N + 1)]
    return pd.DataFrame({"path": paths, "caption": captions, "year": 2020})


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study-of-narwhals")
    table = draw(folder / "private collection")
    out = folder / "run"
    images = scan_images(table, out=out, progress=False)
    embeddings = embed_images(images, "hog", out=out, progress=False)
    clustering = cluster_images(
        embeddings, method="kmeans", n_clusters=5, normalize="l2", out=out, progress=False
    )
    sample_images(clustering, out=out)
    sample_pairs(embeddings, 10, 3, out=out)
    return out


@pytest.fixture(scope="module")
def ratings(run) -> pd.DataFrame:
    ids = pd.read_csv(run / "sample.csv")["image_id"].head(3)
    rows = [(who, one) for who in ("walrus@home.example", "ibex-4711") for one in ids]
    table = pd.DataFrame(rows, columns=["respondent_id", "image_id"])
    return table.assign(group="a", item="anger", rating=3.0, remark="I know her")


def share(run: Path, out: Path, **options: Any) -> Path:
    with pytest.warns(UserWarning, match="Embeddings are not anonymous"):
        return share_bundle(run, out, **options)


def every_byte(folder: Path) -> bytes:
    """All there is in a folder: names of files, their bytes, and tables without compression."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            plain = BytesIO()
            pq.write_table(table, plain, compression="none", use_dictionary=False)
            found += [plain.getvalue(), repr(table.schema.metadata).encode()]
    return b"\n".join(found)


def what_must_not_be_told(run: Path) -> set[str]:
    images = pd.read_parquet(run / "images.parquet")
    paths = [Path(path) for path in images["path"]]
    places = {part for path in [*paths, run] for part in path.parts if len(part) > 3}
    names = {path.stem for path in paths}
    people = {"walrus@home.example", "ibex-4711", "I know her"}
    machine = {socket.gethostname()} if len(socket.gethostname()) > 3 else set()
    user = {getpass.getuser()} - {"root"}  # which may stand in any text
    return places | names | {*SECRETS.values(), *images["caption"]} | people | machine | user


@pytest.mark.parametrize("new_ids", [False, True])
def test_no_path_no_name_no_pixels_and_no_exif_get_out(run, ratings, tmp_path, new_ids):
    key = {"key": tmp_path / "key.csv"} if new_ids else {}
    bundle = share(run, tmp_path / "bundle", ratings=ratings, new_ids=new_ids, **key)
    told = every_byte(bundle)
    hidden = what_must_not_be_told(run)
    assert len(hidden) > 2 * N
    for secret in hidden:
        for spelt in (secret.encode(), secret.encode("utf-16-le")):
            assert spelt not in told, secret
    for magic in (b"\xff\xd8\xff", b"\x89PNG", b"Exif", b"JFIF"):
        assert magic not in told
    # The same search finds all of it where it does lie, so it can find something.
    there = every_byte(run)
    assert all(name.encode() in there for name in ("subject001", "caption about person001"))
    ids = pd.read_parquet(run / "images.parquet")["image_id"].dropna()
    assert all((one.encode() in told) != new_ids for one in ids)


def test_it_is_read_as_a_run_is(run, ratings, tmp_path):
    bundle = share(run, tmp_path / "bundle", ratings=ratings)
    mine, theirs = Embeddings.load(run), Embeddings.load(bundle)
    order = mine.images["image_id"].argsort()
    assert theirs.images["image_id"].tolist() == mine.images["image_id"][order].tolist()
    np.testing.assert_array_equal(theirs.matrix, mine.matrix[order])
    assert theirs.images["path"].isna().all()
    ours, read = Clustering.load(run), Clustering.load(bundle)
    pd.testing.assert_frame_equal(read.clusters, ours.clusters)
    np.testing.assert_allclose(read.centroids, ours.centroids, atol=1e-6)
    assert read.settings["normalize"] == "l2" and read.settings["seed"] == 0
    assert read.predict(theirs)["cluster"].tolist() == read.images["cluster"].tolist()
    again = cluster_images(theirs, method="kmeans", n_clusters=5, normalize="l2", progress=False)
    assert len(again.clusters) == 5
    assert len(sample_images(read)) == len(pd.read_csv(bundle / "sample.csv"))
    scanned = pd.read_parquet(bundle / "images.parquet")
    assert scanned["reason"].value_counts()["empty file"] == 1
    steps = json.loads((bundle / "run.json").read_text())["steps"]
    assert list(steps) == ["scan", "embed", "cluster", "sample", "pairs"]
    assert all("numpy" in step["versions"] and "machine" not in step for step in steps.values())
    assert len(pd.read_csv(bundle / "pairs.csv")) == 10


def test_ratings_keep_all_but_the_names(run, ratings, tmp_path):
    bundle = share(run, tmp_path / "bundle", ratings=ratings)
    shared = pd.read_csv(bundle / "ratings.csv")
    assert [*shared] == ["respondent_id", "group", "image_id", "item", "rating"]
    assert set(shared["respondent_id"]) == {"r1", "r2"}
    assert set(shared["image_id"]) == set(ratings["image_id"]) and len(shared) == len(ratings)


def key_of(path: Path) -> pd.Series:
    return pd.read_csv(path, dtype=str).set_index("shared_id")["image_id"]


def test_new_ids_and_the_key(run, tmp_path):
    bundle = share(run, tmp_path / "with-new-ids", new_ids=True)
    key = key_of(run.parent / "with-new-ids-key.csv")  # not beside the bundle
    assert not key.index.duplicated().any() and len(set(key.index) & set(key)) == 0
    mine, theirs = Embeddings.load(run), Embeddings.load(bundle)
    back = pd.Index(mine.images["image_id"]).get_indexer(theirs.images["image_id"].map(key))
    np.testing.assert_array_equal(theirs.matrix, mine.matrix[back])
    drawn = pd.read_csv(bundle / "sample.csv")
    assert set(drawn["image_id"].map(key)) == set(pd.read_csv(run / "sample.csv")["image_id"])
    scanned = pd.read_parquet(bundle / "images.parquet")
    assert not {"bytes", "width", "height", "n_pages"} & set(scanned)
    assert set(scanned["duplicate_of"].dropna()) <= set(scanned["image_id"].dropna())
    assert theirs.images["image_id"].is_monotonic_increasing  # not in the order of paths


def test_the_key_goes_where_it_was_asked_for_and_never_into_the_bundle(run, tmp_path):
    share(run, tmp_path / "bundle", new_ids=True, key=tmp_path / "safe" / "key.csv")
    assert len(key_of(tmp_path / "safe" / "key.csv")) >= N
    with pytest.raises(ImagestrataError, match="would be in the bundle"):
        share_bundle(run, tmp_path / "b", new_ids=True, key=tmp_path / "b" / "key.csv")
    with pytest.raises(ImagestrataError, match="may be the key of another bundle"):
        share_bundle(run, tmp_path / "b", new_ids=True, key=tmp_path / "safe" / "key.csv")
    with pytest.raises(ImagestrataError, match="no new ids are asked for"):
        share_bundle(run, tmp_path / "b", key=tmp_path / "key.csv")
    assert not (tmp_path / "b").exists()


def test_new_ids_are_all_that_pairs_hold(run, tmp_path):
    """Their own ids were hashes of the images' old ids, and their order that of these."""
    bundle = share(run, tmp_path / "bundle", new_ids=True, key=tmp_path / "key.csv")
    key = key_of(tmp_path / "key.csv")
    shared, drawn = pd.read_csv(bundle / "pairs.csv"), pd.read_csv(run / "pairs.csv")
    assert [*shared] == ["pair_id", "image_a", "image_b", "stratum", "N_h", "probability"]
    assert not set(shared["pair_id"]) & set(drawn["pair_id"])
    ends = [*zip(shared["image_a"], shared["image_b"], strict=True)]
    assert shared["pair_id"].tolist() == [pair_id(a, b) for a, b in ends]
    assert all(a < b for a, b in ends) and ends == sorted(ends)
    before = set(map(frozenset, zip(drawn["image_a"], drawn["image_b"], strict=True)))
    assert {frozenset(key[[a, b]]) for a, b in ends} == before


def test_ratings_stand_in_the_order_of_the_new_ids(run, tmp_path):
    ids = sorted(Embeddings.load(run).images["image_id"])
    table = pd.DataFrame({"respondent_id": "one", "image_id": ids, "rating": 1.0, "item": "a"})
    bundle = share(run, tmp_path / "bundle", ratings=table, new_ids=True, key=tmp_path / "key.csv")
    shared = pd.read_csv(bundle / "ratings.csv")
    assert shared["image_id"].is_monotonic_increasing
    assert shared["image_id"].map(key_of(tmp_path / "key.csv")).tolist() != ids


@pytest.mark.parametrize("group", ["a@b.example", "@handle", "https://x.example/u", "www.x.org"])
def test_groups_that_are_addresses_are_refused(run, ratings, tmp_path, group):
    with pytest.raises(
        ImagestrataError, match="The column 'group' of `ratings` contains addresses"
    ):
        share_bundle(run, tmp_path / "bundle", ratings=ratings.assign(group=group))
    assert not (tmp_path / "bundle").exists()


def test_groups_that_tell_people_apart_are_refused(run, tmp_path):
    image = Embeddings.load(run).images["image_id"][0]
    people = [f"p{i}" for i in range(8)]
    table = pd.DataFrame({"respondent_id": people, "group": people, "image_id": image, "rating": 1})
    with pytest.raises(ImagestrataError, match="8 values for 8 respondents: it identifies them"):
        share_bundle(run, tmp_path / "bundle", ratings=table)
    months = ["2018-06", "2018-07"] * 4
    assert share(run, tmp_path / "bundle", ratings=table.assign(group=months)).is_dir()


def test_no_unused_category_and_no_hour(tmp_path):
    """A category without a row may be somebody who withdrew."""
    table = draw(tmp_path / "pictures")
    table["site"] = pd.Categorical(["A"] * len(table), categories=["A", "Zorilla (withdrawn)"])
    images = scan_images(table, out=tmp_path / "run", progress=False)
    embed_images(images, "hog", out=tmp_path / "run", progress=False)
    bundle = share(tmp_path / "run", tmp_path / "bundle", columns=["site"])
    assert b"Zorilla" not in every_byte(bundle)
    assert pd.read_parquet(bundle / "images.parquet")["site"].dropna().unique().tolist() == ["A"]
    times = re.findall(r'"(?:started|finished)": "([^"]*)"', (bundle / "run.json").read_text())
    assert len(times) == 4 and all(re.fullmatch(r"\d{4}-\d\d-\d\d", one) for one in times)


def test_no_patterns_no_endings_and_no_columns_of_ones_own(tmp_path):
    """What was left out of the corpus names people as well as what is in it."""
    table = draw(tmp_path / "images")
    (tmp_path / "images" / "notes.about-subject007").write_text("seen at home")
    images = scan_images(
        tmp_path / "images", exclude=["*narwhal-witness*"], out=tmp_path / "run", progress=False
    )
    captions = dict(zip(table["path"], table["caption"], strict=True))
    images["address-of-ibex"] = images["path"].map(captions)
    embeddings = embed_images(images, "hog", out=tmp_path / "run", progress=False)
    clustering = cluster_images(
        embeddings, method="kmeans", n_clusters=3, out=tmp_path / "run", progress=False
    )
    sample_images(clustering, out=tmp_path / "run")
    ours = (tmp_path / "run" / "run.json").read_text()
    secrets = ("narwhal-witness", "about-subject007", "address-of-ibex")
    assert all(one in ours for one in secrets)
    bundle = share(tmp_path / "run", tmp_path / "bundle", new_ids=True, key=tmp_path / "key.csv")
    shared = (bundle / "run.json").read_text()
    assert not any(one in shared for one in secrets)
    steps = json.loads(shared)["steps"]
    assert steps["scan"]["counts"]["files"] == N + 1
    assert steps["scan"]["counts"]["reasons"]["empty file"] == 1
    assert len(read_sample(bundle)) == len(read_sample(tmp_path / "run"))


def test_the_share_of_linked_images_is_measured_and_told(run, tmp_path):
    with pytest.warns(UserWarning, match="can link 100% of the images to their vectors"):
        share_bundle(run, tmp_path / "a", new_ids=True, key=tmp_path / "a.csv", noise=0.1)
    readme = re.sub(r"\s+", " ", (tmp_path / "a" / "README.txt").read_text())
    assert "can link 100% of the images" in readme
    with pytest.warns(UserWarning, match=r"can link \d?\d% of the images"):
        share_bundle(run, tmp_path / "b", new_ids=True, key=tmp_path / "b.csv", noise=10)


def test_linked_share_by_hand():
    original = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]], dtype=np.float32)
    shared = np.array([[9, 9], [1, 9], [9, 8], [1, 1]], dtype=np.float32)
    # The third is of (10, 0), and the second of (0, 10); both are nearest to their own.
    assert linked_share(original, shared, np.array([3, 2, 1, 0])) == 1
    assert linked_share(original, shared, np.array([3, 2, 0, 1])) == 0.5
    rng = np.random.default_rng(0)
    many = rng.normal(size=(2000, 64)).astype(np.float32)
    same = np.arange(2000)
    assert linked_share(many, protected_matrix(many, None, 32), same) > 0.99
    assert linked_share(many, protected_matrix(many, 10.0, None), same) < 0.05


def test_noise_is_as_strong_as_said_and_new_each_time(run, tmp_path):
    original = Embeddings.load(run)
    sorted_matrix = original.matrix[original.images["image_id"].argsort()]
    spread = np.sqrt(original.matrix.var(axis=0).mean())
    one, other = (
        Embeddings.load(share(run, tmp_path / name, noise=0.5)).matrix for name in ("a", "b")
    )
    assert np.std(one - sorted_matrix) == pytest.approx(0.5 * spread, rel=0.02)
    assert abs(
        np.corrcoef((one - sorted_matrix).ravel(), (other - sorted_matrix).ravel())[0, 1]
    ) < (0.05)
    clustering = Clustering.load(tmp_path / "a")
    noisy = unit_rows(one)
    first = noisy[(clustering.images["cluster"] == 1).to_numpy()].mean(axis=0)
    np.testing.assert_allclose(clustering.centroids[0], first, atol=1e-6)
    clusters = clustering.images["cluster"].to_numpy()
    own = silhouettes(as_vectors(noisy), clusters)
    np.testing.assert_allclose(clustering.images["silhouette"], own, atol=1e-6)
    distances = np.linalg.norm(noisy - clustering.centroids[clusters - 1], axis=1)
    np.testing.assert_allclose(clustering.images["distance"], distances, atol=1e-5)
    away = np.linalg.norm(noisy[:, None] - clustering.centroids, axis=2)
    away[np.arange(len(away)), clusters - 1] = np.inf
    other = away.min(axis=1)
    assert clustering.images["second_cluster"].tolist() == (away.argmin(axis=1) + 1).tolist()
    margins = (other - distances) / np.maximum(other, distances)
    np.testing.assert_allclose(clustering.images["margin"], margins, atol=1e-5)
    means = clustering.images.groupby("cluster")["silhouette"].mean()
    np.testing.assert_allclose(clustering.clusters["silhouette"], means)
    assert "noise added, its standard deviation 0.5" in (tmp_path / "a" / "README.txt").read_text()


def test_projections_nearly_keep_distances(run, tmp_path):
    bundle = share(run, tmp_path / "bundle", projection=400)
    shared, mine = Embeddings.load(bundle), Embeddings.load(run)
    assert shared.matrix.shape == (len(mine), 400)
    assert Clustering.load(bundle).centroids.shape[1] == 400
    matrix = mine.matrix[mine.images["image_id"].argsort()]

    def distances(x: Any) -> Any:
        return np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))[np.triu_indices(len(x), 1)]

    ratio = distances(shared.matrix) / distances(matrix)
    assert ratio.min() > 0.8 and ratio.max() < 1.2 and abs(ratio.mean() - 1) < 0.05
    with pytest.raises(ImagestrataError, match="vectors of 400 numbers by"):
        Clustering.load(bundle).predict(mine)


def test_protected_vectors_are_not_taken_for_the_encoders_own(run, tmp_path):
    bundle = share(run, tmp_path / "bundle", noise=0.1)
    with pytest.raises(ImagestrataError, match=r"hog \(protected\)"):
        Clustering.load(bundle).predict(Embeddings.load(run))


def test_no_post_gets_out(run, tmp_path):
    study = tmp_path / "study" / "run"
    shutil.copytree(run, study)
    topics = Clustering.load(study)
    posts = pd.DataFrame({"post_id": ["quagga-1", "quagga-2"], "author": "handle-okapi"})
    posts["time"], posts["image_id"] = "1987-06-05", topics.images["image_id"][:2].tolist()
    linked = link_posts(topics, posts)
    linked.to_csv(study / "posts.csv", index=False)
    sample_images(topics, shares=linked, out=study, overwrite=True)
    image_gallery(topics, study, posts=linked, author="author", by="post_id", progress=False)
    assert "okapi" in (study / "gallery" / "index.html").read_text()
    for thumbnails in (False, True):
        out = share_bundle(study, tmp_path / f"bundle-{thumbnails}", thumbnails=thumbnails)
        for file in filter(Path.is_file, out.rglob("*")):
            content = file.read_bytes() + str(file.relative_to(out)).encode()
            for secret in (b"okapi", b"quagga", b"1987", b"posts.csv", b"n_posts,"):
                assert secret not in content, file
        drawn = read_sample(out).set_index("image_id")["weight_share"]
        assert drawn.to_dict() == read_sample(study).set_index("image_id")["weight_share"].to_dict()


def test_columns_go_along_only_when_named(run, tmp_path):
    bundle = share(run, tmp_path / "bundle", columns=["year"])
    for name in ("images.parquet", "clustering.parquet", "embeddings/images.parquet"):
        columns = [*pd.read_parquet(bundle / name)]
        assert "year" in columns and "caption" not in columns
    with pytest.raises(ImagestrataError, match="no column 'age'"):
        share_bundle(run, tmp_path / "other", columns=["age"])
    with pytest.raises(ImagestrataError, match="Paths are never shared"):
        share_bundle(run, tmp_path / "other", columns=["path"])
    with pytest.raises(ImagestrataError, match="a list of names"):
        share_bundle(run, tmp_path / "other", columns="year")


def test_hashes_and_readme(run, tmp_path):
    bundle = share(run, tmp_path / "bundle")
    manifest = json.loads((bundle / MANIFEST).read_text())
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert set(manifest["sha256"]) == files - {MANIFEST}
    for name, promised in manifest["sha256"].items():
        assert file_hash(bundle / name) == promised
    readme = (bundle / "README.txt").read_text()
    assert re.sub(r"\s+", " ", WARNING) in re.sub(r"\s+", " ", readme)
    for name in ("images.parquet", "sample.csv", "Embeddings.load", "read_clustering"):
        assert name in readme
    assert "ratings.csv" not in readme


def test_ids_of_ones_own_may_be_names(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(30, 8))
    own = Embeddings.from_arrays(matrix, [f"person {i}" for i in range(30)])
    own.save(tmp_path / "run")
    steps = {"embed": {"settings": {"weights": "C:\\Users\\me"}, "inputs": "x", "finished": "now"}}
    steps["embed"] |= {"started": "now", "versions": {}, "counts": {}}
    (tmp_path / "run" / "run.json").write_text(json.dumps({"imagestrata": "0", "steps": steps}))
    with pytest.raises(
        ImagestrataError,
        match="30 of 30 ids are your own and could identify people; the first is 'person 0'",
    ):
        share_bundle(tmp_path / "run", tmp_path / "bundle")
    bundle = share(tmp_path / "run", tmp_path / "bundle", new_ids=True)
    assert b"person" not in every_byte(bundle) and b"Users" not in every_byte(bundle)
    assert len(Embeddings.load(bundle)) == 30


def test_where_bundles_may_be_written(run, tmp_path):
    with pytest.raises(ImagestrataError, match="would be in the run folder"):
        share_bundle(run, run / "bundle")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    with pytest.raises(ImagestrataError, match="is not a bundle"):
        share_bundle(run, tmp_path / "full", overwrite=True)
    bundle = share(run, tmp_path / "bundle")
    with pytest.raises(ImagestrataError, match="already holds a bundle"):
        share_bundle(run, bundle)
    share(run, bundle, new_ids=True, key=tmp_path / "key.csv", overwrite=True)
    assert json.loads((bundle / MANIFEST).read_text())["protection"]["new_ids"] is True


def test_what_a_killed_process_left_beside_a_whole_bundle_goes(run, tmp_path):
    bundle = share(run, tmp_path / "bundle")
    workshop = tmp_path / ".bundle.tmp"
    workshop.mkdir()
    (workshop / ".lock").write_text(" {}")
    with pytest.raises(ImagestrataError, match="already holds a bundle"):
        share_bundle(run, bundle)
    assert not workshop.exists() and (bundle / MANIFEST).exists()


def test_it_is_there_whole_or_not_at_all(run, tmp_path, monkeypatch):
    monkeypatch.setattr("imagestrata.share.bundle._readme", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        share_bundle(run, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments(run, tmp_path):
    out = tmp_path / "bundle"
    for options, message in (
        ({"noise": -1}, "`noise` must be between 0 and 10"),
        ({"projection": 0}, "`projection` must be at least 1"),
        ({"projection": 10**6}, "must be less than"),
        ({"new_ids": 1}, "`new_ids` must be True or False"),
        ({"ratings": pd.DataFrame({"image_id": []})}, "as read_ratings"),
    ):
        with pytest.raises(ImagestrataError, match=message):
            share_bundle(run, out, **options)
    with pytest.raises(ImagestrataError, match="'embed' has not been run"):
        share_bundle(tmp_path, out)
    assert list(tmp_path.iterdir()) == []


def test_the_warning_is_one_that_can_be_silenced(run, tmp_path):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        share_bundle(run, tmp_path / "bundle")
    assert [str(one.message) for one in said] == [WARNING]


# ---- small copies ----


@pytest.fixture
def shown(run, tmp_path) -> Path:
    """A bundle with small copies, after the run and its images are out of reach."""
    project = tmp_path / "study-of-narwhals"
    shutil.copytree(run.parent, project)
    with pytest.warns(UserWarning, match=f"small copies of {N} images: give it only to people"):
        bundle = share_bundle(project / "run", tmp_path / "bundle", thumbnails=True, progress=False)
    shutil.rmtree(project)
    return bundle


@pytest.fixture
def hidden(run) -> Iterator[None]:
    """The run and its images are not there."""
    away = run.parent.rename(run.parent.with_name("away"))
    yield
    away.rename(run.parent)


def test_a_bundle_with_small_copies_tells_no_path_and_no_metadata(run, tmp_path):
    bundle = tmp_path / "bundle"
    with pytest.warns(UserWarning, match="small copies"):
        share_bundle(run, bundle, thumbnails=True, progress=False)
    told = every_byte(bundle)
    for secret in what_must_not_be_told(run) | {str(tmp_path), str(run.parent.parent)}:
        assert secret.encode() not in told, secret
    assert b"Exif" not in told and b"http://ns.adobe.com" not in told
    assert not [path for path in bundle.rglob("*") if path.suffix == ".png" or path.is_symlink()]
    assert not (bundle / ".lock").exists() and not [*tmp_path.glob(".bundle*")]
    described = json.loads((bundle / "run.json").read_text())["steps"]
    assert {*described} == {"scan", "embed", "cluster", "sample", "pairs", "gallery"}
    assert all("machine" not in step and "written_in" not in step for step in described.values())
    times = re.findall(r'"(?:started|finished)": "([^"]*)"', (bundle / "run.json").read_text())
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", time) for time in times)
    sizes = [Image.open(path).size for path in bundle.rglob("*.jpg")]
    assert len(sizes) == N and all(max(size) <= 320 for size in sizes)
    manifest = json.loads((bundle / MANIFEST).read_text())
    assert manifest["thumbnails"] == N
    listed = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert {*manifest["sha256"]} == listed - {MANIFEST}


def test_everything_that_shows_images_works_without_them(shown, hidden, tmp_path):
    bundle = shown.rename(tmp_path / "received")
    clustering = Clustering.load(bundle)
    assert all(Path(path).is_relative_to(bundle) for path in clustering.images["path"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The page is there, and further steps belong to the results of the bundle.
        before = (bundle / "gallery" / "index.html").stat().st_mtime_ns
        sample = read_sample(bundle)
        page = image_gallery(clustering, bundle, sample=sample, view=False, progress=False)
        assert page.stat().st_mtime_ns == before
        image_gallery(clustering, tmp_path / "own", view=False, progress=False)
        plot_montage(clustering, bundle / "montage.png")
        packets = assign_annotators(sample, ["a"], n_images=2, out=bundle)
        pairs = read_drawn_pairs(bundle)
        cluster_images(
            Embeddings.load(bundle), "kmeans", n_clusters=2, progress=False,
            out=bundle / "variants" / "two",
        )  # fmt: skip
    for table, columns in ((find_images(clustering), ["path"]), (sample, ["path"]),
                           (packets, ["path"]), (pairs, ["path_a", "path_b"])):  # fmt: skip
        assert table[columns].map(lambda path: Path(path).is_file()).all(axis=None)
    missing = f"originals of {len(sample)} of {len(sample)} images are missing: small copies"
    with pytest.warns(UserWarning, match=missing):
        export_packets(packets, tmp_path / "pages", progress=False)
    montage = np.asarray(Image.open(bundle / "montage.png").convert("RGB")).astype(int)
    assert (np.ptp(montage, axis=2) > 40).mean() > 0.1  # coloured pictures, not grey fields


def test_the_same_calls_read_what_is_in_the_bundle(shown, hidden):
    """The clusters, and the sample, with the paths of the small copies."""
    embeddings, clustering = Embeddings.load(shown), Clustering.load(shown)
    again = cluster_images(
        embeddings, "kmeans", n_clusters=5, normalize="l2", out=shown, progress=False
    )
    pd.testing.assert_frame_equal(again.images, clustering.images)
    before = (shown / "sample.csv").read_bytes()
    drawn = sample_images(clustering, out=shown)
    assert (shown / "sample.csv").read_bytes() == before
    assert drawn["path"].map(lambda path: Path(path).is_file()).all()


@pytest.mark.browser
def test_its_gallery_opens_by_a_double_click(shown, hidden, visit, tmp_path):
    bundle = shown.rename(tmp_path / "received bundle")
    visit.goto((bundle / "gallery" / "index.html").as_uri())
    wait_until(
        visit,
        "document.querySelectorAll('.tile img').length > 0 && "
        "[...document.querySelectorAll('.tile img')].slice(0, 5).every((i) => i.naturalWidth > 0)",
    )
    assert visit.locator(".missing").count() == 0
    assert f"The originals of {N} images are not here" in visit.locator("main").text_content()
    assert visit.title().startswith("bundle")
    visit.locator(".tile .open").first.click()
    wait_until(visit, "document.getElementById('large').naturalWidth > 0")
    assert "this is its thumbnail" in visit.locator("#note").text_content()


def test_excluded_images_have_no_copy(run, tmp_path):
    """Their rows remain, and an entry that fits no image is refused before anything is written."""
    ids = Embeddings.load(run).images["image_id"]
    with pytest.warns(UserWarning, match=f"small copies of {N - 2} images"):
        bundle = share_bundle(
            run, tmp_path / "bundle", thumbnails=True, exclude=[*ids[:2]], progress=False
        )
    assert {path.stem for path in bundle.rglob("*.jpg")} == {*ids[2:]}
    clustering = Clustering.load(bundle)
    assert len(clustering.images) == N and clustering.images["path"].isna().sum() == 2
    assert f"small copies of {N - 2} images" in (bundle / "README.txt").read_text()
    with pytest.raises(ImagestrataError, match="fit no image"):
        share_bundle(run, tmp_path / "other", thumbnails=True, exclude=["typo"], progress=False)
    assert not (tmp_path / "other").exists()


def test_copies_of_the_gallery_are_used_where_originals_are_gone(run, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(run.parent, project)
    clustering = Clustering.load(project / "run")
    image_gallery(clustering, project / "run", view=False, progress=False)
    stored = {path.name: path.read_bytes() for path in (project / "run").rglob("*.jpg")}
    shutil.rmtree(project / "private collection")
    with pytest.warns(UserWarning, match=f"small copies of {N} images"):
        bundle = share_bundle(project / "run", tmp_path / "bundle", thumbnails=True, progress=False)
    assert {path.name: path.read_bytes() for path in bundle.rglob("*.jpg")} == stored


def test_new_ids_name_the_copies_as_well(run, tmp_path):
    with pytest.warns(UserWarning, match="small copies"):
        bundle = share_bundle(
            run, tmp_path / "bundle", thumbnails=True, new_ids=True, key=tmp_path / "key.csv",
            progress=False,
        )  # fmt: skip
    told = every_byte(bundle)
    assert not any(one.encode() in told for one in Embeddings.load(run).images["image_id"])
    paths = Clustering.load(bundle).images["path"]
    assert all(Path(path).is_file() for path in paths)


def test_protection_and_copies_exclude_each_other(run, tmp_path):
    with pytest.raises(ImagestrataError, match=r"noise=1\.0 has no effect with"):
        share_bundle(run, tmp_path / "bundle", thumbnails=True, noise=1)
    with pytest.raises(ImagestrataError, match=r"exclude=.* has no effect without"):
        share_bundle(run, tmp_path / "bundle", exclude=["a"])
    assert not [*tmp_path.iterdir()]


def test_whoever_has_the_files_can_relink_a_bundle(run, shown):
    """The paths are then those of the originals again."""
    relink(shown, run.parent / "private collection", progress=False)
    paths = Clustering.load(shown).images["path"]
    assert all(Path(path).parent == run.parent / "private collection" for path in paths)


@pytest.mark.browser
def test_a_warning_is_read_before_the_first_image(run, tmp_path, visit):
    text = "Some images show <b>violence</b>."
    with pytest.warns(UserWarning, match="small copies"):
        bundle = share_bundle(
            run, tmp_path / "bundle", thumbnails=True, warning=text, progress=False
        )
    assert text in (bundle / "README.txt").read_text()
    visit.goto((bundle / "gallery" / "index.html").as_uri())
    assert visit.locator(".warning").text_content() == text
    assert visit.locator("img").count() == 0
    visit.get_by_role("button", name="Show the images").click()
    wait_until(visit, "document.querySelectorAll('.tile img').length > 0")
    assert visit.locator(".warning").count() == 0
    clustering, sample = Clustering.load(bundle), read_sample(bundle)
    same = {"sample": sample, "warning": text, "view": False, "progress": False}
    assert image_gallery(clustering, bundle, **same) == bundle / "gallery" / "index.html"
    with pytest.raises(ImagestrataError, match="`warning` must be a text"):
        image_gallery(clustering, tmp_path / "own", warning=1)
