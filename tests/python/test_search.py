"""Images like a picture and like words: exact, and embedded as the corpus was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip import factory
from PIL import Image
from safetensors.torch import save_file

from commands import call
from images import picture
from imagestrata import (
    Clustering,
    Embeddings,
    ImagestrataError,
    cluster_images,
    edit_clusters,
    embed_images,
    find_images,
    reduce_embeddings,
)
from imagestrata.explore.search import nearest_images
from imagestrata.rows import BLOCK_ROWS, Rows


def cosines(vectors: Any, query: Any) -> Any:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    return vectors.astype(float) @ np.asarray(query, dtype=float) / lengths


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 12), st.booleans(), st.integers(0, 99))
def test_those_of_brute_force(rows, queries, n, by_angle, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, 4)).astype(np.float32)
    asked = rng.normal(size=(queries, 4)).astype(np.float32)
    query, row, similarity = nearest_images(Rows(vectors), asked, n, by_angle=by_angle)
    for i, one in enumerate(asked):
        away = np.linalg.norm(vectors.astype(float) - one, axis=1)
        expected = cosines(vectors, one) if by_angle else 1 / (1 + away)
        best = np.argsort(-expected, kind="stable")[:n]
        assert row[query == i].tolist() == best.tolist()
        np.testing.assert_allclose(similarity[query == i], expected[best], atol=1e-6)


def test_many_rows_in_blocks_and_many_equal_ones():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(BLOCK_ROWS * 3 + 11, 12)).astype(np.float32)
    vectors[5000:5040] = vectors[17]
    query, row, similarity = nearest_images(Rows(vectors), vectors[[17, 9000]], 30, by_angle=True)
    assert row[query == 0].tolist() == [17, *range(5000, 5029)]
    assert (similarity[query == 0] == 1).all()
    assert row[query == 1].tolist() == np.argsort(-cosines(vectors, vectors[9000]))[:30].tolist()
    first = nearest_images(Rows(vectors), vectors[[17]], 3, by_angle=True, first=np.array([5007]))
    assert first[1].tolist() == [5007, 17, 5000]


def test_a_vector_of_zeros_is_like_nothing():
    vectors = np.vstack([np.zeros(3), np.eye(3)]).astype(np.float32)
    _, row, similarity = nearest_images(Rows(vectors), vectors[[1, 0]], 2, by_angle=True)
    assert row.tolist() == [1, 0, 0, 1] and similarity.tolist() == [1, 0, 0, 0]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> tuple[Path, Path, Clustering]:
    """A folder of pictures, a run folder, and its clustering."""
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(24):
        path = folder / "images" / f"{i % 2}" / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(i, (64, 48)).save(path)
    run = folder / "run"
    cluster_images(
        folder / "images", method="kmeans", n_clusters=4, encoder="hog", out=run, progress=False
    )
    return folder / "images", run, Clustering.load(run)


class TestLike:
    def test_an_image_finds_itself_first_and_then_the_most_similar(self, corpus):
        folder, run, topics = corpus
        stored = Embeddings.load(run)
        for like in (folder / "1" / "03.png", "1/03.png", "03.png"):
            found = find_images(topics, like=like, n=5)
            assert list(found) == [
                "query", "rank", "image_id", "path", "file", "cluster", "similarity"
            ]  # fmt: skip
            assert found["file"].iloc[0] == "03.png" and found["similarity"].iloc[0] == 1
            assert found["rank"].tolist() == [1, 2, 3, 4, 5]
            assert {*found["query"]} == {str(like)}
            row = stored.images["file"].tolist().index("03.png")
            best = np.argsort(-cosines(stored.matrix, stored.matrix[row]), kind="stable")[:5]
            assert found["image_id"].tolist() == stored.images["image_id"].iloc[best].tolist()
            of_image = topics.images.set_index("image_id")["cluster"]
            assert found["cluster"].tolist() == of_image[found["image_id"]].tolist()

    def test_by_id_also_if_the_file_is_gone(self, corpus, tmp_path):
        _, _, topics = corpus
        images = topics.images.assign(path=[str(tmp_path / "gone.png")] * len(topics.images))
        gone = Clustering(**vars(topics) | {"images": images})
        image_id = images["image_id"].iloc[7]
        assert find_images(gone, like=image_id, n=1)["image_id"].tolist() == [image_id]

    def test_a_new_picture_is_embedded_as_the_corpus_was(self, corpus, tmp_path):
        folder, run, topics = corpus
        stored = Embeddings.load(run)
        new = picture(99, (150, 90))
        new.save(tmp_path / "new.png")
        vector = embed_images([tmp_path / "new.png"], encoder=stored, progress=False).matrix[0]
        expected = cosines(stored.matrix, vector)
        best = np.argsort(-expected)[:9]
        asked = [tmp_path / "new.png", new, np.asarray(new)]
        for like in asked:
            found = find_images(topics, like=like)
            assert found["image_id"].tolist() == stored.images["image_id"].iloc[best].tolist()
            np.testing.assert_allclose(found["similarity"], expected[best], atol=1e-6)
        together = find_images(topics, like=[*asked, folder / "0" / "04.png"], n=2)
        assert together["query"].tolist() == [
            str(asked[0]), str(asked[0]), "picture 2", "picture 2", "picture 3", "picture 3",
            *[str(folder / "0" / "04.png")] * 2,
        ]  # fmt: skip
        assert together["rank"].tolist() == [1, 2] * 4
        assert together["image_id"].iloc[:2].tolist() == together["image_id"].iloc[2:4].tolist()

    def test_a_copy_elsewhere_has_the_vector_of_the_image(self, corpus, tmp_path):
        folder, _, topics = corpus
        copy = tmp_path / "elsewhere.png"
        copy.write_bytes((folder / "0" / "06.png").read_bytes())
        found = find_images(topics, like=copy, n=1)
        assert found["file"].tolist() == ["06.png"] and found["similarity"].tolist() == [1.0]

    def test_an_existing_file_comes_before_the_end_of_a_path(self, corpus, tmp_path, monkeypatch):
        _, _, topics = corpus
        monkeypatch.chdir(tmp_path)
        picture(99).save("03.png")
        assert find_images(topics, like="03.png", n=1)["similarity"].iloc[0] < 1

    def test_exif_and_other_modes(self, corpus, tmp_path):
        _, _, topics = corpus
        for mode in ("L", "CMYK", "RGBA", "1", "F"):
            assert len(find_images(topics, like=picture(3, (64, 48)).convert(mode))) == 9
        turned = picture(5, (64, 48))
        exif = Image.Exif()
        exif[0x0112] = 6
        turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
        by_file = find_images(topics, like=tmp_path / "turned.jpg")
        with Image.open(tmp_path / "turned.jpg") as opened:
            by_picture = find_images(topics, like=opened)
        columns = ["image_id", "similarity"]
        pd.testing.assert_frame_equal(by_file[columns], by_picture[columns], atol=1e-4)

    def test_only_in_some_clusters_and_with_names(self, corpus):
        _, _, topics = corpus
        named = edit_clusters(topics, names={2: "Two"})
        image_id = topics.images.loc[topics.images["cluster"] == 1, "image_id"].iloc[0]
        found = find_images(named, [2, 3], like=image_id, n=100)
        assert {*found["cluster"]} == {2, 3} and image_id not in {*found["image_id"]}
        assert len(found) == topics.images["cluster"].isin([2, 3]).sum()
        assert {*found.loc[found["cluster"] == 2, "cluster_name"]} == {"Two"}
        assert len(find_images(named, like=image_id, n=100)) == len(topics.images)

    def test_vectors_of_ones_own(self):
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(40, 3))
        ids = [f"i{i}" for i in range(40)]
        topics = Clustering.from_labels(Embeddings.from_arrays(vectors, ids), np.arange(40) % 3)
        found = find_images(topics, like=["i5", "i6"], n=4)
        away = np.linalg.norm(vectors - vectors[5], axis=1)
        assert found["image_id"][:4].tolist() == [ids[i] for i in np.argsort(away)[:4]]
        np.testing.assert_allclose(found["similarity"][:4], 1 / (1 + np.sort(away)[:4]), rtol=1e-5)
        lost = Clustering(**vars(topics) | {"source": None})
        with pytest.raises(ImagestrataError, match="does not know the vectors"):
            find_images(lost, like="i5")
        given = Embeddings.from_arrays(vectors, ids)
        again = find_images(lost, like=["i5", "i6"], n=4, embeddings=given)
        pd.testing.assert_frame_equal(again, found)

    def test_new_pictures_need_an_encoder(self, corpus, tmp_path):
        folder, run, _ = corpus
        picture(99).save(tmp_path / "new.png")
        stored = Embeddings.load(run)
        own = Embeddings.from_arrays(stored.matrix, stored.images["image_id"])
        topics = Clustering.from_labels(own, np.arange(24) % 3)
        with pytest.raises(ImagestrataError, match="their encoder is unknown"):
            find_images(topics, like=tmp_path / "new.png")
        reduced = reduce_embeddings(stored, n_components=12, progress=False)
        topics = Clustering.from_labels(reduced, np.arange(24) % 3)
        with pytest.raises(ImagestrataError, match="cannot reduce a new picture comparably"):
            find_images(topics, like=tmp_path / "new.png")
        assert find_images(topics, like=folder / "0" / "04.png", n=1)["file"].tolist() == ["04.png"]

    def test_mistakes(self, corpus, tmp_path):
        _, _, topics = corpus
        (tmp_path / "note.txt").write_text("no picture")
        picture(1, (6, 6)).save(tmp_path / "small.png")
        for like, said in (
            ("nowhere.jpg", "'nowhere.jpg' in `like` is neither a file nor one of the 24 images"),
            (tmp_path / "note.txt", "not an image \\(1\\)"),
            ([tmp_path / "small.png", picture(1)], "cannot be used: below min_side"),
            ([], "contains no picture"),
            (["03.png", 3], "must be the path of a picture.*number 2 is an int"),
            (np.zeros((4, 4, 3)), "an array of float64 with the shape"),
            (pd.DataFrame({"x": [1]}), "has no column image_id"),
        ):
            with pytest.raises(ImagestrataError, match=said):
                find_images(topics, like=like)
        with pytest.raises(ImagestrataError, match="two searches"):
            find_images(topics, like="03.png", text="a dog")
        with pytest.raises(ImagestrataError, match="has no effect in a search"):
            find_images(topics, like="03.png", order="random")
        with pytest.raises(ImagestrataError, match="has no effect without `like` and `text`"):
            find_images(topics, weights="net.pth")


#: A network with the vocabulary of CLIP, which its tokenizer needs.
TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16
    },
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Iterator[Path]:
    """Weights of a tiny CLIP, whose network open_clip knows meanwhile."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-words.json").write_text(json.dumps(TINY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "_MODEL_CONFIG_PATHS", [*factory._MODEL_CONFIG_PATHS])
        patch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
        open_clip.add_model_config(folder)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(open_clip.create_model("tiny-words").state_dict(), folder / "net.pth")
        yield folder / "net.pth"


def of_clip(folder: Path, file: Path) -> tuple[Clustering, Embeddings]:
    made = embed_images(
        folder, encoder="clip:tiny-words", weights=file, precision="float32", progress=False
    )
    return Clustering.from_labels(made, np.arange(len(made)) % 3), made


class TestText:
    def test_words_are_those_of_the_text_tower(self, corpus, clip):
        topics, made = of_clip(corpus[0], clip)
        texts = ["a crowd with banners", "a cat"]
        model = open_clip.create_model("tiny-words", pretrained=str(clip)).eval()
        with torch.inference_mode():
            tokens = open_clip.get_tokenizer("tiny-words")(texts)
            expected = model.encode_text(tokens).numpy()
        found = find_images(topics, text=texts, n=6)
        assert found["query"].tolist() == [texts[0]] * 6 + [texts[1]] * 6
        for text, vector in zip(texts, expected, strict=True):
            close = cosines(made.matrix, vector)
            best = np.argsort(-close)[:6]
            some = found[found["query"] == text]
            assert some["image_id"].tolist() == made.images["image_id"].iloc[best].tolist()
            np.testing.assert_allclose(some["similarity"], close[best], atol=1e-5)
        one = find_images(topics, text=texts[0], n=6)
        pd.testing.assert_frame_equal(one, found[found["query"] == texts[0]])

    def test_weights_that_moved_or_differ(self, corpus, clip, tmp_path):
        topics, made = of_clip(corpus[0], clip)
        moved = tmp_path / "moved.pth"
        moved.write_bytes(clip.read_bytes())
        made.encoder["weights"] = str(tmp_path / "nowhere.pth")
        with pytest.raises(ImagestrataError):
            find_images(topics, text="a cat")
        assert len(find_images(topics, text="a cat", weights=moved)) == 9
        other = torch.load(clip)
        torch.save({key: one + 1 for key, one in other.items()}, tmp_path / "other.pth")
        with pytest.raises(ImagestrataError, match="made with weights whose SHA-256"):
            find_images(topics, text="a cat", weights=tmp_path / "other.pth")

    def test_the_image_tower_alone_knows_no_words(self, corpus, clip, tmp_path):
        tower = tmp_path / "tower.safetensors"
        state = torch.load(clip)
        save_file({key: one for key, one in state.items() if key.startswith("visual.")}, tower)
        topics, _ = of_clip(corpus[0], tower)
        with pytest.raises(ImagestrataError, match="the image tower of clip:tiny-words alone"):
            find_images(topics, text="a cat")

    def test_other_encoders_know_no_words(self, corpus):
        with pytest.raises(ImagestrataError, match="The vectors are by hog") as caught:
            find_images(corpus[2], text="a cat")
        assert "clip:ViT-B-32" in caught.value.hint and "list_encoders" in caught.value.hint

    @pytest.mark.parametrize("text", ["", [], ["a", 3], 5])
    def test_mistakes(self, corpus, text):
        with pytest.raises(ImagestrataError, match="`text` must be words"):
            find_images(corpus[2], text=text)


def test_the_command_searches_a_run_folder(corpus, tmp_path):
    folder, run, topics = corpus
    like = folder / "1" / "03.png"
    said = json.loads(call("find", run, "--like", like, "--like", "04.png", "--n", 3, "--json"))
    expected = find_images(topics, like=[str(like), "04.png"], n=3)
    assert [one["image_id"] for one in said["images"]] == expected["image_id"].tolist()
    shown = call("find", run, "--cluster", 2, "--n", 2, "--order", "doubtful")
    for path in find_images(topics, 2, n=2, order="doubtful")["path"]:
        assert path in shown
