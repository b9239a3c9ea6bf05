"""Posts are read as exports have them: ids whole, times in UTC, no column lost.

The files are ours, after the public formats of 4CAT: CSV, NDJSON, and both forms of the
``.metadata.json`` in an archive of downloaded images.
"""

from __future__ import annotations

import json
import re
import warnings

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata import Embeddings, ImagestrataError, cluster_images, link_posts, read_posts
from imagestrata.posts.times import read_times

LONG = ["1234567890123456789", "1234567890123456788", "1234567890123456787"]


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def quiet(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_posts(*args, **options)


def csv_file(tmp_path):
    return written(
        tmp_path / "posts.csv",
        "id,thread_id,author,body,timestamp,unix_timestamp,images,retweet_count,score\n"
        f'{LONG[0]},{LONG[1]},anna,"Vote, now!",2024-05-01 20:30:00,1714588200,'
        '"https://p.org/a.jpg,https://p.org/b.jpg",12,0.5\n'
        f"{LONG[1]},,007,Übermorgen,2024-05-02 20:30:00,1714674600,,,1.5\n",
    )


def test_csv_of_4cat(tmp_path):
    posts = read_posts(csv_file(tmp_path))
    assert [*posts][:5] == ["post_id", "author", "time", "text", "media"]
    assert posts["post_id"].tolist() == LONG[:2]
    assert posts["author"].tolist() == ["anna", "007"]
    assert posts["text"].tolist() == ["Vote, now!", "Übermorgen"]
    # unix_timestamp is exact; timestamp is local time on some servers.
    assert posts["time"].astype(str).tolist() == [
        "2024-05-01 18:30:00+00:00",
        "2024-05-02 18:30:00+00:00",
    ]
    assert posts["media"].tolist() == [["https://p.org/a.jpg", "https://p.org/b.jpg"], []]
    assert posts["thread_id"].fillna("-").tolist() == [LONG[1], "-"]
    assert posts["retweet_count"].fillna(-1).tolist() == [12, -1]
    assert posts["score"].tolist() == [0.5, 1.5]
    assert {"timestamp", "unix_timestamp", "images"} <= {*posts}
    assert posts.attrs["columns"]["time"] == "unix_timestamp"


def test_encodings_and_separators(tmp_path):
    text = "post_id;text;time\n1;Grüße;2024-01-01\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        posts = read_posts(written(tmp_path / "a.csv", text, encoding))
        assert posts["text"].tolist() == ["Grüße"]
    with pytest.warns(UserWarning, match="cp1252"):
        assert read_posts(written(tmp_path / "a.csv", text, "cp1252"))["text"].tolist() == ["Grüße"]


TWEET = {
    "id": LONG[0],
    "author_id": 998877665544332211,
    "author_user": {"username": "anna", "name": "Anna"},
    "created_at": "2024-05-01T18:30:00.000Z",
    "text": "Vote!",
    "attachments": {"media_keys": [{"type": "photo", "url": "https://p.org/a.jpg"}, {"type": "x"}]},
    "entities": {"hashtags": [{"tag": "vote"}, {"tag": "now"}]},
    "public_metrics": {"retweet_count": 12},
    "possibly_sensitive": False,
}
SKY = {
    "uri": "at://did:plc:1/app.bsky.feed.post/3k",
    "author": {"handle": "anna.example", "did": "did:plc:1"},
    "record": {"text": "Hello", "created_at": "2024-05-01T20:30:00.123+02:00"},
    "embed": {"images": [{"fullsize": "https://cdn.example/img/b.jpg", "alt": "b"}]},
}


def lines(path, *records):
    return written(path, "".join(json.dumps(one) + "\n" for one in records))


def test_ndjson_of_4cat(tmp_path):
    tweets = read_posts(lines(tmp_path / "t.ndjson", TWEET))
    row = tweets.iloc[0]
    assert (row["post_id"], row["author"], row["text"]) == (LONG[0], "anna", "Vote!")
    assert row["media"] == ["https://p.org/a.jpg"]
    assert row["author_id"] == "998877665544332211"
    assert json.loads(row["entities.hashtags.tag"]) == ["vote", "now"]
    assert row["public_metrics.retweet_count"] == 12 and not row["possibly_sensitive"]
    sky = read_posts(lines(tmp_path / "s.ndjson", SKY)).iloc[0]
    assert sky["post_id"] == SKY["uri"] and sky["author"] == "anna.example"
    assert str(sky["time"]) == "2024-05-01 18:30:00.123000+00:00"
    assert sky["media"] == ["https://cdn.example/img/b.jpg"] and sky["author.did"] == "did:plc:1"
    both = quiet([tmp_path / "t.ndjson", tmp_path / "s.ndjson"])
    assert both["post_id"].tolist() == [LONG[0], SKY["uri"]]


def test_numbers_in_json_stay_whole(tmp_path):
    big = 9_007_199_254_740_993  # not exact as a float
    file = lines(
        tmp_path / "a.json",
        {"id": int(LONG[0]), "n": big, "m": 1, "x": 1.5, "thread_id": 3},
        {"id": int(LONG[1]), "n": 1, "x": 2},
    )
    posts = read_posts(file)
    assert posts["post_id"].tolist() == LONG[:2]
    assert posts["n"].tolist() == [str(big), "1"]
    assert posts["m"].astype(object).tolist() == [1, pd.NA]
    assert posts["x"].tolist() == [1.5, 2.0] and posts["thread_id"].iloc[0] == "3"
    whole = written(tmp_path / "list.json", json.dumps([{"id": 1}, {"id": 2}], indent=1))
    assert read_posts(whole)["post_id"].tolist() == ["1", "2"]


def test_columns_are_named(tmp_path):
    file = written(
        tmp_path / "a.csv",
        "key,who,said,when,foto1,foto2,text\n1,anna,hi,2024-01-01,a.jpg,b.jpg,T\n",
    )
    columns = {
        "post_id": "key", "author": "who", "time": "when", "text": "said",
        "media": ["foto1", "foto2"],
    }  # fmt: skip
    with pytest.warns(UserWarning, match="'text' is now 'text_given'"):
        posts = read_posts(file, columns=columns)
    assert posts["media"].tolist() == [["a.jpg", "b.jpg"]] and posts["text"].tolist() == ["hi"]
    assert posts["text_given"].tolist() == ["T"] and posts["foto1"].tolist() == ["a.jpg"]
    deep = read_posts(lines(tmp_path / "s.ndjson", SKY), columns={"author": "author.did"})
    assert deep["author"].tolist() == ["did:plc:1"] and "author.handle" in deep


OLD = {
    "https://p.org/1/photo.jpg": {
        "filename": "photo.jpg", "success": True, "from_dataset": "k", "post_ids": LONG[:2],
    },
    "https://p.org/2/photo.jpg": {
        "filename": "photo-0.jpg", "success": True, "from_dataset": "k", "post_ids": [int(LONG[2])],
    },
    "https://p.org/gone.jpg": {
        "filename": None, "success": False, "from_dataset": "k", "post_ids": [LONG[0]],
    },
    "https://p.org/other.jpg": {
        "filename": "other.jpg", "success": True, "from_dataset": "k", "post_ids": ["elsewhere"],
    },
}  # fmt: skip
NEW = {
    "schema_version": 1,
    "from_dataset": "k",
    "processor_type": "image-downloader",
    "items": {
        entry["filename"]: {
            "filename": entry["filename"],
            "post_ids": entry["post_ids"],
            "url": url,
        }
        for url, entry in OLD.items()
        if entry["success"]
    },
    "failures": [{"post_ids": [LONG[0]], "reason": "error", "url": "https://p.org/gone.jpg"}],
}


@pytest.mark.parametrize("metadata", [OLD, NEW])
def test_the_folder_of_images_of_4cat(tmp_path, metadata):
    folder = tmp_path / "images"
    folder.mkdir()
    written(folder / ".metadata.json", json.dumps(metadata))
    file = written(tmp_path / "p.csv", "id,body\n" + "".join(f"{one},x\n" for one in LONG))
    with pytest.warns(UserWarning, match="1 post of images in .* is not in `files`: 'elsewhere'"):
        posts = read_posts(file, images=folder)
    photo, second = str(folder / "photo.jpg"), str(folder / "photo-0.jpg")
    assert posts["media"].tolist() == [[photo], [photo], [second]]
    assert posts["media_failed"].tolist() == [["https://p.org/gone.jpg"], [], []]
    # Names that were alike on the web are told apart by the files.
    points = Embeddings.from_arrays([[0.0], [0.1], [9.0]], ["aa", "bb", "cc"])
    topics = cluster_images(points, method="kmeans", n_clusters=2, progress=False)
    scan = pd.DataFrame(
        {"image_id": ["aa", "bb"], "path": [photo, second], "status": "ok", "reason": None,
         "duplicate_of": None}
    )  # fmt: skip
    linked = link_posts(topics, posts, images=scan)
    assert linked["image_id"].tolist() == ["aa", "aa", "bb"]
    assert linked["n_posts"].tolist() == [2, 2, 1]


def test_telegram_and_videos_of_4cat(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    metadata = {
        "chat-7.jpeg": {"filename": "chat-7.jpeg", "success": True, "post_ids": [7]},
        "https://p.org/v": {
            "success": True, "post_ids": ["chat-8"],
            "files": [{"filename": "v.mp4", "success": True}, {"filename": "w", "success": False}],
        },
    }  # fmt: skip
    written(folder / ".metadata.json", json.dumps(metadata))
    posts = read_posts(written(tmp_path / "p.csv", "id,x\nchat-7,1\nchat-8,2\n"), images=folder)
    assert posts["media"].tolist() == [[str(folder / "chat-7.jpeg")], [str(folder / "v.mp4")]]


def test_repeated_posts(tmp_path):
    file = written(
        tmp_path / "a.csv", "id,likes,media\n1,5,a.jpg\n2,1,c.jpg\n1,6,b.jpg\n2,1,c.jpg\n"
    )
    with pytest.warns(UserWarning, match="2 posts are repeated in 2 further rows, 1 of which"):
        posts = read_posts(file)
    assert posts["post_id"].tolist() == ["1", "2"] and posts["likes"].tolist() == [5, 1]
    assert posts["media"].tolist() == [["a.jpg", "b.jpg"], ["c.jpg"]]
    assert posts.attrs["repeated"] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01 18:30:00", "2024-05-01 16:30:00"),
        ("2024-05-01T18:30", "2024-05-01 16:30:00"),
        ("2024-05-01T18:30:00Z", "2024-05-01 18:30:00"),
        ("2024-05-01 18:30:00 UTC", "2024-05-01 18:30:00"),
        ("2024-05-01 18:30:00+0200", "2024-05-01 16:30:00"),
        ("2024-05-01T18:30:00.5-05:00", "2024-05-01 23:30:00.500"),
        ("2024-05-01", "2024-04-30 22:00:00"),
        ("1714588200", "2024-05-01 18:30:00"),
        (1714588200, "2024-05-01 18:30:00"),
        (1714588200.5, "2024-05-01 18:30:00.500"),
        ("1714588200123", "2024-05-01 18:30:00.123"),
        ("1714588200123456", "2024-05-01 18:30:00.123456"),
        ("Wed May 01 18:30:00 +0000 2024", "2024-05-01 18:30:00"),
        ("Wed, 01 May 2024 18:30:00 +0200", "2024-05-01 16:30:00"),
        ("2024-03-31 02:30:00", None),  # never was, in Berlin
        ("2024-10-27 02:30:00", None),  # was twice
        ("03/04/2024", None),
        ("2024", None),
        (20240501, None),
        ("2024-13-01", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times(text, expected):
    found = read_times(pd.Series([text, "2024-01-01T00:00:00Z"], dtype=object), "Europe/Berlin")
    assert str(found.dtype) == "datetime64[us, UTC]" and found.notna().iloc[1]
    if expected is None:
        assert pd.isna(found.iloc[0])
    else:
        assert found.iloc[0] == pd.Timestamp(expected, tz="UTC")


def test_times_that_cannot_be_read_are_counted(tmp_path):
    file = written(tmp_path / "a.csv", "id,time\n1,03/04/2024\n2,2024-05-01\n3,\n")
    with pytest.warns(UserWarning, match="1 time of 3 posts cannot be read and is missing: '03/04"):
        assert read_posts(file)["time"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("a.csv", "key,x\n1,2\n", {}, "no column of ids.*It has key, x"),
        (
            "a.csv",
            "id,x\n1,2\n,3\n",
            {},
            r"1 of 2 posts .* have no id in 'id' \(the first is post 2",
        ),
        ("a.csv", "id,x\n1.23457E+18,2\n", {}, "have lost digits: '1.23457E.18'"),
        ("a.csv", "id,x\n", {}, "no posts"),
        ("a.csv", "id\n1\n", {"columns": {"text": "body"}}, "no column 'body'; it has id"),
        ("a.csv", "id\n1\n", {"columns": {"hashtags": "x"}}, "entry 'hashtags'; the entries are"),
        ("a.csv", "id\n1\n", {"columns": {"text": ["a", "b"]}}, "gives 'text' 2 columns"),
        ("a.csv", "id\n1\n", {"columns": ["id"]}, "must give names"),
        ("a.csv", "id\n1\n", {"time_zone": "Berlin"}, "name of a time zone, not 'Berlin'"),
        ("a.csv", "id\n1\n", {"images": "nowhere"}, "no folder"),
        ("a.ndjson", '{"id": 1}\n{"id": \n', {}, "Line 2 of .* not valid JSON"),
        ("a.ndjson", '{"id": 1}\n3\n', {}, "entry 2 is something else"),
        ("a.ndjson", "\n", {}, "is empty"),
        ("a.json", "[]", {}, "holds no posts"),
        ("a.json", '[{"id": 1.5e18}]', {}, "lost digits"),
    ],
)
def test_bad_input(tmp_path, name, text, options, message):
    file = written(tmp_path / name, text)
    with pytest.raises(ImagestrataError, match=message):
        read_posts(file, **options)


def test_bad_metadata(tmp_path):
    file = written(tmp_path / "a.csv", "id\n1\n")
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(ImagestrataError, match=r"no file '\.metadata\.json'"):
        read_posts(file, images=folder)
    for text, message in [
        ("{", "not valid JSON"),
        ("[]", "object of JSON"),
        ('{"schema_version": 2}', "schema version 2"),
        ("{}", "names no post"),
        ('{"a.jpg": {"filename": "a.jpg", "post_ids": ["9"]}}', "No image in .* belongs to a post"),
    ]:
        written(folder / ".metadata.json", text)
        with pytest.raises(ImagestrataError, match=message):
            read_posts(file, images=folder)
    with pytest.raises(ImagestrataError, match="file or a list of files, not a DataFrame"):
        read_posts(pd.DataFrame())


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**25), TEXT), min_size=1, max_size=6))
def test_no_post_and_no_letter_is_lost(tmp_path_factory, rows):
    rows = [*dict(rows).items()]
    file = lines(
        tmp_path_factory.mktemp("p") / "a.ndjson",
        *({"id": number, "text": text, "note": f"n {text}"} for number, text in rows),
    )
    posts = quiet(file)
    assert posts["post_id"].tolist() == [str(number) for number, _ in rows]
    assert posts["text"].tolist() == [text for _, text in rows]
    assert posts["note"].tolist() == [f"n {text}" for _, text in rows]
    assert not re.search("float", str(posts["post_id"].dtype))
