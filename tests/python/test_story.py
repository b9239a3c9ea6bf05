"""A run folder is one story: no step is made from another result than the one that lies there."""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    assign_annotators,
    cluster_images,
    coding_sheet,
    embed_images,
    export_packets,
    export_pairs,
    export_test,
    image_gallery,
    plot_montage,
    reduce_embeddings,
    sample_images,
    sample_pairs,
    scan_images,
    share_bundle,
)
from imagestrata.errors import ImagestrataWarning
from imagestrata.files import write_table
from imagestrata.provenance import find_step, read_run, read_table, require_step, variant_folder
from imagestrata.sampling.assign import read_packets
from imagestrata.sampling.sample import read_sample

HOLDS = "holds another result of the step"
QUIET = {"progress": False}


def cluster(embeddings, n_clusters=3, **arguments) -> Clustering:
    return cluster_images(embeddings, "kmeans", n_clusters=n_clusters, progress=False, **arguments)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("corpus") / "images", 24)


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory) -> Path:
    """A run with every step to the packets and their pages."""
    out = tmp_path_factory.mktemp("made") / "run"
    images = scan_images(corpus, out=out, **QUIET)
    embeddings = embed_images(images, "hog", out=out, **QUIET)
    clustering = cluster(embeddings, out=out)
    sample = sample_images(clustering, 2, out=out)
    image_gallery(clustering, out, sample=sample, **QUIET)
    plot_montage(clustering, out / "montage.png")
    packets = assign_annotators(sample, ["a"], n_images=2, out=out)
    export_packets(packets, out / "rate-page", **QUIET)
    sample_pairs(embeddings, 4, 3, out=out)
    return out


@pytest.fixture
def run(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def steps(run: Path) -> list[str]:
    return list(read_run(run)["steps"])


# ---- what is given belongs to the run ----


def test_another_clustering_is_refused_by_every_step(run):
    embeddings = Embeddings.load(run)
    trial = cluster(embeddings, 5)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != ".lock"}
    for made_from in (
        lambda: sample_images(trial, 1, out=run, overwrite=True),
        lambda: image_gallery(trial, run, overwrite=True, **QUIET),
        lambda: plot_montage(trial, run / "montage.png"),
        lambda: coding_sheet(trial, run / "coding.html", ["people"], **QUIET),
        lambda: export_test(trial, run / "tests" / "intruders.html", kind="intruders", **QUIET),
    ):
        with pytest.raises(ImagestrataError, match=HOLDS) as caught:
            made_from()
        assert "n_clusters 3" in caught.value.message
        assert "variants" in caught.value.hint and "overwrite=True" in caught.value.hint
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_other_vectors_samples_packets_and_pairs_are_refused(run):
    embeddings, clustering = Embeddings.load(run), Clustering.load(run)
    other = reduce_embeddings(embeddings, n_components=2, **QUIET)
    with pytest.raises(ImagestrataError, match=HOLDS):
        cluster(other, out=run, overwrite=True)
    with pytest.raises(ImagestrataError, match=HOLDS):
        sample_pairs(other, 4, 3, out=run, overwrite=True)
    trial = sample_images(clustering, 1)
    with pytest.raises(ImagestrataError, match=HOLDS):
        assign_annotators(trial, ["a"], n_images=1, out=run, overwrite=True)
    with pytest.raises(ImagestrataError, match=HOLDS):
        image_gallery(clustering, run, sample=trial, overwrite=True, **QUIET)
    elsewhere = sample_images(cluster(embeddings, 5), 1, singles=True)
    packets = assign_annotators(elsewhere, ["a"], n_images=1)
    with pytest.raises(ImagestrataError, match=HOLDS):
        export_packets(packets, run / "rate-again", **QUIET)
    with pytest.raises(ImagestrataError, match="are not pairs of"):
        export_pairs(sample_pairs(embeddings, 4, 3, seed=9), run / "judge.html", **QUIET)


def test_a_sample_of_other_clusters_is_no_sample_of_these(run):
    embeddings = Embeddings.load(run)
    sample = sample_images(cluster(embeddings, 5), 1, singles=True)
    with pytest.raises(ImagestrataError, match="in another cluster of this clustering"):
        image_gallery(cluster(embeddings, 3), run.parent / "page", sample=sample, **QUIET)


def test_images_that_were_not_scanned_are_refused(run, tmp_path):
    others = scan_images(write_pictures(tmp_path / "others", 30), **QUIET)
    with pytest.raises(ImagestrataError, match=HOLDS):
        embed_images(others, "hog", out=run, overwrite=True, **QUIET)


def test_a_part_of_the_images_or_of_the_sample_is_of_the_run(made, corpus, tmp_path):
    images = scan_images(corpus, out=tmp_path, **QUIET)
    embeddings = embed_images(images.iloc[:20], "hog", out=tmp_path, **QUIET)
    clustering = cluster(embeddings, out=tmp_path)
    sample = sample_images(clustering, 2, out=tmp_path)
    packets = assign_annotators(sample.iloc[1:], ["a"], n_images=1, out=tmp_path)
    assert len(packets) == len(sample) - 1


def test_the_order_of_rows_is_no_other_clustering(run):
    clustering = Clustering.load(run)
    turned = clustering.images.iloc[::-1]
    assert len(sample_images(turned, 2, out=run)) == len(read_sample(run))
    before = read_sample(run)
    shared = sample_images(clustering.images.assign(n_copies=7), 2, out=run)
    assert shared["image_id"].tolist() == before["image_id"].tolist(), "copies were added"
    assert (shared["n_copies"] == 7).all()
    share = shared["weight_share"] * before["n_copies"] / (7 * before["weight_share"])
    assert np.allclose(share, 1)


# ---- what is replaced takes along what was built on it ----


def test_new_clusters_move_what_people_work_with_and_remove_what_is_drawn(run):
    peoples = ["sample.csv", "packets.csv", "rate-page/packets.csv"]
    before = {name: (run / name).read_bytes() for name in peoples}
    old = Clustering.load(run)
    with pytest.warns(ImagestrataWarning, match=r"moved to .*replaced.*packets.csv, rate-page"):
        new = cluster(Embeddings.load(run), 5, out=run, overwrite=True)
    assert steps(run) == ["scan", "embed", "cluster", "pairs"]
    for name in ("sample.csv", "packets.csv", "rate-page", "gallery", "montage.png"):
        assert not (run / name).exists(), name
    [place] = (run / "replaced").iterdir()
    assert {name: (place / name).read_bytes() for name in peoples} == before
    pd.testing.assert_frame_equal(Clustering.load(place).images, old.images)
    assert list(read_run(place)["steps"]) == ["cluster", "sample", "gallery", "assign"]
    pd.testing.assert_frame_equal(Clustering.load(run).images, new.images)
    assert require_step(run, "pairs")


def test_a_new_sample_takes_the_page_and_the_packets_along_and_leaves_the_clusters(run):
    with pytest.warns(ImagestrataWarning, match="moved to"):
        sample_images(Clustering.load(run), 1, out=run, overwrite=True)
    assert steps(run) == ["scan", "embed", "cluster", "sample", "pairs"]
    assert not (run / "gallery").exists() and not (run / "packets.csv").exists()


def test_without_peoples_work_nothing_is_kept(run):
    out = run.parent / "plain"
    embeddings = Embeddings.load(run)
    image_gallery(cluster(embeddings, out=out), out, **QUIET)
    cluster(embeddings, 5, out=out, overwrite=True)
    assert not (out / "replaced").exists() and not (out / "gallery").exists()


def test_another_encoder_takes_along_all_that_rests_on_the_first(run):
    with pytest.warns(ImagestrataWarning, match="moved to"):
        images = read_table(run / "images.parquet")
        embed_images(images, "bovw", out=run, overwrite=True, **QUIET)
    assert steps(run) == ["scan", "embed"]
    [place] = (run / "replaced").iterdir()
    assert {"clustering.parquet", "sample.csv", "packets.csv", "pairs.csv"} <= {
        path.name for path in place.iterdir()
    }


def test_the_same_images_elsewhere_keep_everything(run, corpus, tmp_path):
    before = steps(run)
    shutil.copytree(corpus, tmp_path / "there")
    images = scan_images(tmp_path / "there", out=run, overwrite=True, **QUIET)
    assert steps(run) == before and require_step(run, "assign")
    paths = dict(zip(images["image_id"], images["path"], strict=True))
    assert str(tmp_path) in next(iter(paths.values()))


def test_a_further_image_takes_along_what_was_made_without_it(run, corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "there")
    write_pictures(tmp_path / "there" / "more", 30)
    with pytest.warns(ImagestrataWarning, match="moved to"):
        scan_images(tmp_path / "there", out=run, overwrite=True, **QUIET)
    assert steps(run) == ["scan"]
    with pytest.raises(ImagestrataError, match="embeddings"):
        Embeddings.load(run)


def test_interrupted_in_the_middle_of_moving_it_goes_on(run, monkeypatch):
    """At every rename, remove and write of the journal: killed there, then called again."""
    from imagestrata.provenance import replaced, step

    embeddings = Embeddings.load(run)
    saved = run.parent / "saved"
    shutil.copytree(run, saved)
    sample = (run / "sample.csv").read_bytes()
    for moment in range(12):
        shutil.rmtree(run)
        shutil.copytree(saved, run)
        calls = [0]
        struck_here = [(replaced, "write_run"), (replaced, "_remove"), (step, "write_run")]
        replace = Path.replace

        def struck(call, calls=calls, moment=moment):
            def strike(*given, **named):
                calls[0] += 1
                if calls[0] == moment + 1:
                    raise KeyboardInterrupt
                return call(*given, **named)

            return strike

        with monkeypatch.context() as patch:
            for module, name in struck_here:
                patch.setattr(module, name, struck(getattr(module, name)))
            patch.setattr(Path, "replace", struck(replace))
            with warnings.catch_warnings(), contextlib.suppress(KeyboardInterrupt):
                warnings.simplefilter("ignore")
                cluster(embeddings, 5, out=run, overwrite=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cluster(embeddings, 5, out=run, overwrite=True)
        assert steps(run) == ["scan", "embed", "cluster", "pairs"], moment
        assert "moving" not in read_run(run)
        kept = [*(run / "replaced").rglob("sample.csv")]
        assert [path.read_bytes() for path in kept] == [sample], moment
        assert not (run / "sample.csv").exists() and not (run / "gallery").exists()
        assert len(Clustering.load(run).clusters) == 5


# ---- what was deleted or damaged is made again ----


def test_the_hash_of_every_table_of_a_step_is_recorded(made, tmp_path):
    """But for vectors, whose files have their hash in their names; in a bundle, too."""
    with pytest.warns(UserWarning, match="not anonymous"):
        bundle = share_bundle(made, tmp_path / "bundle")
    for run in (made, bundle):
        recorded = [name for entry in read_run(run)["steps"].values() for name in entry["sha256"]]
        tables = {path.relative_to(run).as_posix() for path in run.rglob("*.parquet")}
        assert {*recorded} == {name for name in tables if "part-" not in name}
        assert len(recorded) == len({*recorded})
    shutil.copy(made / "clustering.parquet", bundle / "clustering.parquet")  # it has paths
    with pytest.raises(ImagestrataError, match="'cluster' wrote: it is damaged"):
        Clustering.load(bundle)


def test_a_table_that_took_the_place_of_another_is_noticed_and_made_again(run, tmp_path):
    """It is whole, and says the same kind of thing: only its hash tells it from the right one."""
    embeddings, right = Embeddings.load(run), (run / "clustering.parquet").read_bytes()
    cluster(embeddings, 5, out=tmp_path / "other")
    shutil.copy(tmp_path / "other" / "clustering.parquet", run / "clustering.parquet")
    with pytest.raises(ImagestrataError, match="'cluster' wrote: it is damaged or was replaced"):
        Clustering.load(run)
    assert len(cluster(embeddings, out=run).clusters) == 3
    assert (run / "clustering.parquet").read_bytes() == right

    images = read_table(run / "images.parquet")
    write_table(run / "images.parquet", images.assign(n_copies=7))
    with pytest.raises(ImagestrataError, match="'scan' wrote: it"):
        share_bundle(run, tmp_path / "bundle")


def test_a_table_that_was_replaced_keeps_its_hash(run):
    with pytest.warns(UserWarning, match="moved to"):
        cluster(Embeddings.load(run), 5, out=run, overwrite=True)
    old = next((run / "replaced").iterdir())
    assert len(Clustering.load(old).clusters) == 3
    shutil.copy(run / "clustering.parquet", old / "clustering.parquet")
    with pytest.raises(ImagestrataError, match="'cluster' wrote: it is damaged"):
        Clustering.load(old)


@pytest.mark.parametrize("how", ["deleted", "emptied"])
@pytest.mark.parametrize(
    "name",
    [
        *("clustering.parquet", "clusters.parquet", "trace.parquet", "centroids.parquet"),
        *("clustering.json", "sample.csv", "packets.csv", "pairs.csv", "images.parquet"),
        "embeddings/encoder.json",
    ],
)
def test_products_of_finished_steps_are_made_again(made, run, corpus, name, how):
    (run / name).unlink()
    if how == "emptied":
        (run / name).write_bytes(b"")
    images = scan_images(corpus, out=run, **QUIET)
    embeddings = embed_images(images, "hog", out=run, **QUIET)
    clustering = cluster(embeddings, out=run)
    sample = sample_images(clustering, 2, out=run)
    assign_annotators(sample, ["a"], n_images=2, out=run)
    sample_pairs(embeddings, 4, 3, out=run)
    assert steps(run) == steps(made)
    assert not (run / "replaced").exists()
    assert (run / "sample.csv").read_bytes() == (made / "sample.csv").read_bytes()
    assert (run / "packets.csv").read_bytes() == (made / "packets.csv").read_bytes()
    assert Clustering.load(run).images.equals(Clustering.load(made).images)


def test_a_table_that_somebody_changed_is_not_taken_and_not_lost(run):
    clustering = Clustering.load(run)
    changed = read_sample(run).iloc[1:]
    changed.to_csv(run / "sample.csv", index=False)
    with pytest.raises(ImagestrataError, match="was changed after the step"):
        sample_images(clustering, 2, out=run)
    with pytest.warns(ImagestrataWarning, match=r"changed file 'sample.csv' was moved to"):
        again = sample_images(clustering, 2, out=run, overwrite=True)
    assert len(again) == len(changed) + 1 and len(read_packets(run))
    [kept] = (run / "replaced").rglob("sample.csv")
    assert len(pd.read_csv(kept)) == len(changed)


# ---- variants ----


def test_two_clusterings_lie_side_by_side(run):
    embeddings = Embeddings.load(run)
    variant = run / "variants" / "five"
    five = cluster(embeddings, 5, out=variant)
    sample = sample_images(five, 1, out=variant, singles=True)
    image_gallery(five, variant, sample=sample, **QUIET)
    assert steps(variant) == ["cluster", "sample", "gallery"]
    assert len(Clustering.load(run).clusters) == 3 and len(Clustering.load(variant).clusters) == 5
    assert find_step(variant, "embed")[0] == run.absolute()
    assert len(Embeddings.load(variant)) == len(embeddings)
    # Neither takes what is the other's.
    with pytest.raises(ImagestrataError, match=HOLDS):
        sample_images(five, 1, out=run, overwrite=True)
    with pytest.raises(ImagestrataError, match=HOLDS):
        sample_images(Clustering.load(run), 1, out=variant, overwrite=True)
    # And what rests on the run's clusters is not the variant's.
    with pytest.raises(ImagestrataError, match="'assign' has not been run"):
        require_step(variant, "assign")


def test_two_encoders_lie_side_by_side_and_the_first_is_taken_from_the_run(run):
    images = read_table(run / "images.parquet")
    variant = run / "variants" / "bovw"
    embeddings = embed_images(images, "bovw", out=variant, **QUIET)
    cluster(embeddings, out=variant)
    assert steps(variant) == ["embed", "cluster"]
    assert Embeddings.load(variant).encoder["name"] == "bovw"
    assert Embeddings.load(run).encoder["name"] == "hog"
    same = embed_images(images, "hog", out=run / "variants" / "same", **QUIET)
    assert same.encoder["name"] == "hog" and steps(run / "variants" / "same") == []


def test_a_new_result_of_the_run_reaches_its_variants(run):
    embeddings = Embeddings.load(run)
    variant = run / "variants" / "five"
    sample_images(cluster(embeddings, 5, out=variant), 1, out=variant, singles=True)
    images = read_table(run / "images.parquet")
    with pytest.warns(ImagestrataWarning, match="moved to"):
        embed_images(images, "bovw", out=run, overwrite=True, **QUIET)
    assert steps(variant) == []
    assert [*(variant / "replaced").rglob("sample.csv")]


def test_names_of_variants_are_plain(run, tmp_path):
    for name in ("../up", "a/b", ".hidden", "", "a b"):
        with pytest.raises(ImagestrataError, match="variant cannot be named"):
            variant_folder(run, name)


# ---- old run folders, and bundles ----


def without_fingerprints(run: Path) -> None:
    """As an older version wrote it."""
    content = read_run(run)
    for entry in content["steps"].values():
        entry.pop("made_from", None)
        entry.pop("result", None)
    (run / "run.json").write_text(json.dumps(content))


def test_runs_of_older_versions_are_read_and_said_to_be_such(run):
    without_fingerprints(run)
    clustering = Clustering.load(run)
    assert len(read_sample(run)) and len(Embeddings.load(run))
    with pytest.warns(ImagestrataWarning, match="made by an older version"):
        sample_images(clustering, 1, out=run, overwrite=True)


def test_a_bundle_of_a_mixed_run_is_refused(run, tmp_path):
    without_fingerprints(run)
    mixed = read_sample(run)
    mixed["cluster"] = mixed["cluster"].to_numpy()[::-1]
    mixed.to_csv(run / "sample.csv", index=False)
    with pytest.raises(ImagestrataError, match="in another cluster"):
        share_bundle(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_of_an_interrupted_clustering_is_refused(run, tmp_path):
    content = read_run(run)
    content["steps"]["cluster"]["finished"] = None
    (run / "run.json").write_text(json.dumps(content))
    with pytest.raises(ImagestrataError, match=r"is being replaced|was interrupted"):
        share_bundle(run, tmp_path / "bundle")


def test_images_and_run_that_moved_together_are_found(made, corpus, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(corpus, here / "images")
    out = here / "run"
    embeddings = embed_images(here / "images", "hog", out=out, **QUIET)
    sample = sample_images(cluster(embeddings, out=out), 2, out=out)
    assign_annotators(sample, ["a"], n_images=2, out=out)
    sample_pairs(embeddings, 4, 3, out=out)
    here.rename(there)
    moved = there / "run"
    for table in (Embeddings.load(moved).images, Clustering.load(moved).images,
                  read_sample(moved), read_packets(moved)):  # fmt: skip
        assert all(Path(path).is_file() for path in table["path"])
    page = export_packets(read_packets(moved), moved / "rate-page", **QUIET)
    assert page.is_dir()
    assert np.array_equal(Embeddings.load(moved).matrix, embeddings.matrix)
