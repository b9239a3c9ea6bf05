"""One rule says which image a name means, for every table and list."""

from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from images import picture
from imagestrata import Clustering, Embeddings, ImagestrataError, cluster_images, scan_images
from imagestrata.names import Images, excluded

TABLE = pd.DataFrame(
    {
        "image_id": ["001", "1e5", "c"],
        "path": ["/data/x/a.jpg", "/data/y/a.jpg", unicodedata.normalize("NFD", "/data/y/ü.jpg")],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("001", 0), (" 001 ", 0), ("1e5", 1), ("/data/y/a.jpg", 1), ("x/a.jpg", 0),
        ("x\\a.jpg", 0), ("./x/a.jpg", 0), ("ü.jpg", 2), (unicodedata.normalize("NFD", "ü.jpg"), 2),
        ("/data/y/ü.jpg", 2), ("1", None), ("a.jp", None), ("z/a.jpg", None), ("", None),
    ],
)  # fmt: skip
def test_names_by_hand(name, row):
    assert Images(TABLE).find(name) == ([] if row is None else [row])


def test_paths_start_at_the_working_directory_or_the_folder_of_images(tmp_path, monkeypatch):
    table = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "in" / "a.jpg")]})
    assert Images(table, tmp_path / "in").find("../in/a.jpg") == [0]
    monkeypatch.chdir(tmp_path / "..")
    assert Images(table).find(f"{tmp_path.name}/in/../in/a.jpg") == [0]


def test_a_table_is_matched_by_id_then_path_then_file():
    names = pd.DataFrame({"image_id": ["c", "gone", None], "path": ["x/a.jpg", "x/a.jpg", None],
                          "file": [None, None, "ü.jpg"]})  # fmt: skip
    assert Images(TABLE).rows_of(names, "labels").tolist() == [2, 0, 2]
    with pytest.raises(ImagestrataError, match=r"'a\.jpg' in labels fits 2 images"):
        Images(TABLE).rows_of(["a.jpg"], "labels")
    with pytest.raises(ImagestrataError, match="Labels must have a column 'image_id', 'path' or"):
        Images(TABLE).rows_of(pd.DataFrame({"x": [1]}), "labels")


def test_what_is_not_found_is_told():
    images = Images(TABLE)
    with pytest.warns(UserWarning, match="1 of 2 rows of labels .*identify no image.*: 'gone'"):
        images.report(["c", "gone"], images.rows_of(["c", "gone"], "labels"), "labels")
    with pytest.raises(
        ImagestrataError, match=r"No row of labels \(1 row.*\n.*lost their leading zeros"
    ):
        images.report([1], images.rows_of([1], "labels"), "labels")


LISTS = {
    "plain": "001\n1e5\n",
    "no newline at the end": "001\r\n1e5",
    "old Macintosh": "001\r1e5\r",
    "blank lines, comments": "# who\n\n001\n\n1e5\n\n",
    "quoted": "\"001\"\n'1e5'\n",
    "header": "image_id\n001\n1e5\n",
    "header in capitals": "Image_ID;why\n001;face, minor\n1e5;\n",
    "table": 'why,image_id\n"a\nface",001\n,1e5\n',
    "one line": "001, 1e5",
    "semicolons": "001;\n1e5;\n",
    "tabs": "001\t1e5\n",
    "spaces": "001 1e5\n",
    "paths": "x/a.jpg\n/data/y/a.jpg\n",
    "Windows": "x\\a.jpg\r\ny\\a.jpg\r\n",
    "table of paths": "path,n\nx/a.jpg,1\ny/a.jpg,2\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("kind", LISTS)
def test_lists_that_protect_people_are_not_taken_too_literally(kind, encoding, tmp_path):
    file = tmp_path / "hide.txt"
    file.write_bytes(LISTS[kind].encode(encoding))
    assert excluded(TABLE, file) == {"001", "1e5"}
    assert excluded(TABLE, str(file)) == {"001", "1e5"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("001\n1\n", "'1' .*line 2"),
        ("image_id,why\n001,face\n002,minor\n", "'002' .*line 3"),
        ("image_id,why\n001,face\n,minor\n", "'' .*line 3"),
        ("001,face\n", "'face' .*line 1"),
        ("001\na.jpg\n", r"'a\.jpg' in .*line 2 .*fits 2 images"),
        ("image_id,why\n001\n", "Line 2 of"),
        ("id\n001\n", "'id' .*line 1"),
        ("\n# nobody\n", "contains no image"),
        ("", "contains no image"),
    ],
)
def test_a_line_that_is_no_image_stops_the_export(text, message, tmp_path):
    file = tmp_path / "hide.txt"
    file.write_text(text)
    with pytest.raises(ImagestrataError, match=message) as caught:
        excluded(TABLE, file)
    assert "hide.txt" in str(caught.value)


def test_lists_in_memory():
    assert excluded(TABLE, None) == set()
    assert excluded(TABLE, []) == set()
    assert excluded(TABLE, ["001", "y/a.jpg"]) == {"001", "1e5"}
    assert excluded(TABLE, pd.DataFrame({"path": ["x/a.jpg"]})) == {"001"}
    assert excluded(TABLE.assign(image_id=[1, 2, 3]), [1, 300000 - 299998]) == {"1", "2"}
    for wrong in (["typo"], [None], pd.DataFrame({"path": [None]}), 7, "001"):
        with pytest.raises(ImagestrataError):
            excluded(TABLE, wrong)


def test_naming_a_copy_excludes_the_image_that_is_kept():
    scan = TABLE.assign(duplicate_of=[None, "001", None])
    assert excluded(scan, ["y/a.jpg"]) == {"001"}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(6):
        picture(i // 2 if i < 4 else i).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return scan_images(folder, progress=False)


@pytest.fixture(scope="module")
def clustering(scanned) -> Clustering:
    kept = scanned[scanned["status"] == "ok"].reset_index(drop=True)
    made = Embeddings.from_arrays(np.arange(len(kept))[:, None], kept["image_id"], kept["path"])
    return cluster_images(made, method="kmeans", n_clusters=2, progress=False)


def test_every_file_has_a_cluster_copies_included(scanned, clustering):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files = clustering.augment(scanned)
    assert files["path"].tolist() == scanned["path"].tolist()
    of_image = clustering.images.set_index("image_id")["cluster"]
    for _, row in files.iterrows():
        if row["status"] == "rejected":
            assert row["cluster"] is pd.NA
        else:
            kept = row["image_id"] if pd.isna(row["duplicate_of"]) else row["duplicate_of"]
            assert row["cluster"] == of_image[kept]
    assert files["status"].eq("duplicate").sum() == 2
    assert files["file"].tolist() == [Path(path).name for path in scanned["path"]]


def test_a_table_of_posts_gets_clusters_by_the_names_of_files(scanned, clustering):
    posts = pd.DataFrame({"file": ["5.png", "0.png"], "cluster": ["mine", "too"]})
    with pytest.warns(UserWarning, match="'cluster' is now 'cluster_given'"):
        joined = clustering.augment(posts)
    assert joined["cluster_given"].tolist() == ["mine", "too"]
    images = clustering.images.set_index("file")
    assert joined["cluster"].tolist() == images.loc[["5.png", "0.png"], "cluster"].tolist()
    assert joined["image_id"].tolist() == images.loc[["5.png", "0.png"], "image_id"].tolist()
    with pytest.warns(UserWarning, match="1 of 2 rows of the table .*'gone.png'"):
        some = clustering.augment(pd.DataFrame({"path": ["gone.png", "5.png"]}))
    assert some["cluster"].isna().tolist() == [True, False]
    with pytest.raises(ImagestrataError, match="No row of the table"):
        clustering.augment(pd.DataFrame({"path": ["gone.png"]}))
