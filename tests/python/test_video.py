"""Frames of videos: the right ones, under the right names, once, and on down the road."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from films import COLOURS, colour_of, plain, write_film, write_seconds
from images import encode, picture, write_files
from imagestrata import ImagestrataError, cli, cluster_images, extract_frames, scan_images
from imagestrata.corpus import video as module
from imagestrata.corpus.video import COLUMNS

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def films(tmp_path):
    """Two videos of the same name, one of which is in a folder below."""
    folder = tmp_path / "films"
    write_seconds(folder / "clip.avi", ["red", "green", "blue"])
    write_seconds(folder / "sub" / "clip.avi", ["white", "black"])
    return folder


@pytest.fixture
def opened(monkeypatch):
    """The videos that are decoded, by name."""
    names = []

    class Counted(module.Film):
        def __init__(self, path, *args):
            names.append(Path(path).name)
            super().__init__(path, *args)

    monkeypatch.setattr(module, "Film", Counted)
    return names


def extract(videos, out, **options):
    return extract_frames(videos, out, **{"progress": False} | options)


def told(videos, out, **options):
    """The table of a call that warns of failures, and the warning."""
    with pytest.warns(UserWarning) as caught:
        table = extract(videos, out, **options)
    assert len(caught) == 1
    return table, str(caught[0].message)


def colours(frames):
    return [colour_of(np.asarray(Image.open(path))) for path in frames["path"].dropna()]


def test_a_frame_a_second(films, tmp_path):
    frames = extract(films, tmp_path / "out")
    assert [*frames.columns] == [*COLUMNS]
    assert frames["time"].tolist() == [0, 1, 2, 0, 1]
    assert colours(frames) == ["red", "green", "blue", "white", "black"]
    assert frames["video"].tolist() == [
        *[str(films / "clip.avi")] * 3, *[str(films / "sub" / "clip.avi")] * 2
    ]  # fmt: skip
    for path, video_id in frames.groupby("video")["video_id"].first().items():
        assert video_id == hashlib.sha256(Path(path).read_bytes()).hexdigest()[:20]
    assert frames["reason"].isna().all()
    assert frames["scene"].isna().all()
    assert frames["path"].is_unique
    for _, some in frames.groupby("video"):
        assert some["path"].is_monotonic_increasing
    for path in frames["path"]:
        assert Path(path).is_relative_to(tmp_path / "out")
        with Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (64, 48))


def test_a_video_a_list_and_a_folder(films, tmp_path):
    one = extract(films / "clip.avi", tmp_path / "one")
    assert colours(one) == ["red", "green", "blue"]
    both = extract([str(films / "clip.avi"), films / "sub"], tmp_path / "both")
    assert colours(both) == ["red", "green", "blue", "white", "black"]


@pytest.mark.parametrize(
    ("every", "times"),
    [
        (0.5, [0, 0.5, 1, 1.5, 2, 2.5]),
        (0.25, [0, 0.3, 0.5, 0.8, 1, 1.3, 1.5, 1.8, 2, 2.3, 2.5, 2.8]),  # 10 frames a second
        (0.1, [n / 10 for n in range(30)]),
        (0.01, [n / 10 for n in range(30)]),
        (1.1, [0, 1.1, 2.2]),
        (10, [0]),
    ],
)
def test_the_first_frame_at_or_after_each_moment(films, tmp_path, every, times):
    frames = extract([films / "clip.avi"], tmp_path / "out", every=every)
    assert frames["time"].tolist() == pytest.approx(times)
    expected = [("red", "green", "blue")[int(time + 1e-6)] for time in times]
    assert colours(frames) == expected


def test_scenes_and_moments(films, tmp_path):
    clip = write_film(
        tmp_path / "cuts.avi",
        [plain(c) for c, n in (("red", 16), ("blue", 9), ("yellow", 15)) for _ in range(n)],
    )
    only = extract([clip], tmp_path / "scenes", every=None, scene_changes=True)
    assert only["time"].tolist() == pytest.approx([0, 1.6, 2.5])
    assert only["scene"].tolist() == [1, 2, 3]
    assert colours(only) == ["red", "blue", "yellow"]
    both = extract([clip], tmp_path / "both", scene_changes=True)
    assert both["time"].tolist() == pytest.approx([0, 1, 1.6, 2, 2.5, 3])
    assert both["scene"].tolist() == [1, 1, 2, 2, 3, 3]
    assert colours(both) == ["red", "red", "blue", "blue", "yellow", "yellow"]
    pale = write_seconds(tmp_path / "pale.avi", ["white", "yellow"])  # a distance of 97
    for threshold, times in ((90, [0, 1]), (99, [0])):
        out = tmp_path / f"pale-{threshold}"
        found = extract([pale], out, every=None, scene_changes=threshold)
        assert found["time"].tolist() == times


def test_columns_of_a_table_are_kept(films, tmp_path):
    table = pd.DataFrame(
        {
            "author": pd.Categorical(["b", "a"]),
            "path": [str(films / "sub" / "clip.avi"), str(films / "clip.avi")],
            "likes": pd.array([None, 7], dtype="Int64"),
            "time": ["noon", "night"],
        }
    )
    with pytest.warns(UserWarning, match="'time' is now 'time_given'"):
        frames = extract(table, tmp_path / "out")
    assert [*frames.columns] == [*COLUMNS, "author", "likes", "time_given"]
    assert frames["author"].tolist() == ["a", "a", "a", "b", "b"]
    assert frames["author"].dtype == table["author"].dtype
    assert frames["likes"].tolist()[:3] == [7, 7, 7]
    assert frames["time_given"].tolist() == ["night"] * 3 + ["noon"] * 2


def test_what_cannot_be_decoded_is_a_row_with_the_reason(films, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # PyAV is not installed
    whole = (films / "clip.avi").read_bytes()
    write_files(
        films, {"half.avi": whole[: int(len(whole) * 0.7)], "no.mp4": b"words", "0.mov": b""}
    )
    shutil.copy(FIXTURES / "av1.mp4", films)
    shutil.copy(films / "clip.avi", films / "zcopy.avi")
    (films / "gone.webm").symlink_to(tmp_path / "nowhere.webm")
    frames, warning = told(films, tmp_path / "out")
    failed = frames[frames["reason"].notna()]
    assert failed["path"].isna().all()
    assert dict(
        zip(failed["video"].map(lambda v: Path(v).name), failed["reason"], strict=True)
    ) == {
        "0.mov": "empty file",
        "av1.mp4": "format not supported",
        "gone.webm": "broken link",
        "half.avi": "ends before its stated duration",
        "no.mp4": "not a video",
        "zcopy.avi": "same bytes",
    }
    half = frames[frames["video"].str.endswith("half.avi")]
    assert half["path"].notna().tolist() == [True] * (len(half) - 1) + [False]
    assert half["time"].iloc[0] == 0
    assert half["time"].iloc[-1] == half["time"].iloc[-2]
    assert colours(half) == ["red", "green", "blue"][: len(half) - 1]
    assert "5 of 8 videos could not be decoded, or only in part" in warning
    assert "pip install 'imagestrata[video]'" in warning
    copy, original = (frames[frames["video"].str.endswith(f"/{n}.avi")] for n in ("zcopy", "clip"))
    assert set(copy["video_id"]) <= set(original["video_id"])
    assert failed.set_index("reason")["video_id"].isna().to_dict()["broken link"]


def test_a_video_is_tried_again_when_pyav_is_installed(films, tmp_path, monkeypatch):
    import av  # noqa: F401

    shutil.copy(FIXTURES / "av1.mp4", films)
    with monkeypatch.context() as before:
        before.setitem(sys.modules, "av", None)
        frames, _ = told(films, tmp_path / "out")
    assert frames["reason"].tolist()[0] == "format not supported"
    again = extract(films, tmp_path / "out")
    assert colours(again)[:3] == ["red", "green", "blue"]
    pd.testing.assert_frame_equal(
        again.iloc[3:].reset_index(drop=True), frames.iloc[1:].reset_index(drop=True)
    )


def test_nothing_to_decode_is_no_error(tmp_path):
    write_files(tmp_path / "films", {"a.mp4": b"words"})
    frames, _ = told(tmp_path / "films", tmp_path / "out")
    assert frames["reason"].tolist() == ["not a video"]
    with pytest.raises(ImagestrataError, match=r"has no rows"):
        scan_images(frames, progress=False)


def test_the_table_goes_down_the_road(films, tmp_path):
    write_files(films, {"broken.mp4": b"words"})
    for n in range(12):  # pictures that differ
        write_film(films / f"more-{n:02d}.avi", [np.asarray(picture(n, (64, 48)))] * 5)
    table = pd.DataFrame({"path": [str(path) for path in films.rglob("*.*")]})
    table["author"] = [f"a{n % 3}" for n in range(len(table))]
    frames, _ = told(table, tmp_path / "frames")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = scan_images(frames, progress=False)
    shown = frames.dropna(subset="path").sort_values("path")
    assert images["path"].tolist() == shown["path"].tolist()
    travelled = ["video_id", "video", "time", "scene", "author"]
    pd.testing.assert_frame_equal(images[travelled], shown[travelled].reset_index(drop=True))
    topics = cluster_images(frames, encoder="hog", method="kmeans", n_clusters=2, progress=False)
    assert {"video_id", "time", "author"} <= {*topics.images}
    # The folder of frames contains nothing else that looks like an image.
    assert len(scan_images(tmp_path / "frames", progress=False)) == len(shown)


def test_a_finished_call_decodes_nothing(films, tmp_path, opened):
    first = extract(films, tmp_path / "out", scene_changes=True)
    assert sorted(opened) == ["clip.avi"] * 4  # two passes each
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.jpg")}
    opened.clear()
    pd.testing.assert_frame_equal(first, extract(films, tmp_path / "out", scene_changes=True))
    assert opened == []
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.jpg")}


def test_only_new_videos_are_decoded(films, tmp_path, opened):
    """Contents decide: renaming, moving and touching cost nothing."""
    first = extract(films, tmp_path / "out")
    opened.clear()
    (films / "clip.avi").rename(films / "renamed.avi")
    os.utime(films / "sub" / "clip.avi", (1, 1))
    write_seconds(films / "new.avi", ["yellow"])
    grown = extract(films, tmp_path / "out")
    assert opened == ["new.avi"]
    assert sorted(grown["path"]) == sorted(
        [*first["path"], *grown.loc[grown["video"] == str(films / "new.avi"), "path"]]
    )
    assert colours(grown) == ["yellow", "red", "green", "blue", "white", "black"]


def test_an_interrupted_call_continues(films, tmp_path, opened, monkeypatch):
    write = module.write_bytes
    monkeypatch.setattr(module, "usable_cores", lambda: 1)

    def full(path, data):
        if len(opened) == 2 and path.name.endswith("1000.jpg"):
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(module, "write_bytes", full)
    with pytest.raises(KeyboardInterrupt):
        extract(films, tmp_path / "out")
    assert len(opened) == 2
    monkeypatch.setattr(module, "write_bytes", write)
    opened.clear()
    frames = extract(films, tmp_path / "out")
    assert len(opened) == 1
    assert colours(frames) == ["red", "green", "blue", "white", "black"]
    pd.testing.assert_frame_equal(
        frames.drop(columns="path"), extract(films, tmp_path / "fresh").drop(columns="path")
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_killed_call_continues(tmp_path):
    for n in range(4):
        pictures = [np.asarray(picture(10 * n + m, (320, 240))) for m in range(10)]
        write_film(tmp_path / "films" / f"{n}.avi", pictures)
    command = [sys.executable, "-m", "imagestrata", "extract-frames", str(tmp_path / "films")]
    command += ["--every", "0.1", "--quiet", "--out"]
    out = tmp_path / "out"
    for n_frames in (3, 15, 33):
        process = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list(out.glob("*/*.jpg"))) < n_frames:
            time.sleep(0.002)
        process.kill()
        process.wait()
    subprocess.run([*command, str(out)], check=True, stdout=subprocess.DEVNULL)
    extract(tmp_path / "films", tmp_path / "fresh", every=0.1)
    frames, fresh = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}
        for folder in (out, tmp_path / "fresh")
    )
    assert len(frames) == 40
    assert frames == fresh
    assert not list(out.rglob("*.tmp"))


def test_an_interruption_does_not_wait_for_long_videos(tmp_path, monkeypatch):
    """The thread of the first video runs for ever, unless it is told to stop."""
    for name in ("a.avi", "b.avi"):
        write_seconds(tmp_path / "films" / name, ["red"] if name == "a.avi" else ["blue"])
    running = threading.Event()

    class Endless(module.Film):
        def __init__(self, path, *args):
            self.endless = path.endswith("a.avi")
            super().__init__(path, *args)

        def __iter__(self):
            frames = iter(super().__iter__())
            first = next(frames)
            yield first
            if not self.endless:
                running.wait(60)
                raise KeyboardInterrupt
            while True:
                running.set()
                yield first

    monkeypatch.setattr(module, "Film", Endless)
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path / "films", tmp_path / "out", every=1000)


def test_lost_frames_are_extracted_again(films, tmp_path, opened):
    frames = extract(films, tmp_path / "out")
    Path(frames["path"][1]).unlink()
    opened.clear()
    pd.testing.assert_frame_equal(frames, extract(films, tmp_path / "out"))
    assert opened == ["clip.avi"]
    assert colours(frames) == ["red", "green", "blue", "white", "black"]


def test_copies_that_are_decoded_at_the_same_time(tmp_path, opened):
    clip = write_seconds(tmp_path / "films" / "0.avi", ["red", "blue"] * 5)
    for n in range(1, 6):
        shutil.copy(clip, clip.with_name(f"{n}.avi"))
    frames = extract(clip.parent, tmp_path / "out")
    assert len(opened) == 1
    assert frames["reason"].notna().sum() == 5
    assert colours(frames) == ["red", "blue"] * 5


def test_other_settings_replace_frames_only_when_asked(films, tmp_path):
    extract(films, tmp_path / "out", every=0.5)
    (tmp_path / "out" / "mine.jpg").write_bytes(encode(picture(1), "JPEG"))
    with pytest.raises(ImagestrataError, match=r"extracted with every=0.5, scene_changes=False"):
        extract(films, tmp_path / "out")
    frames = extract(films, tmp_path / "out", overwrite=True)
    there = {str(path) for path in (tmp_path / "out").glob("*/*.jpg")}
    assert there == {*frames["path"]}
    assert (tmp_path / "out" / "mine.jpg").exists()
    assert json.loads((tmp_path / "out" / "frames.json").read_text())["settings"]["every"] == 1


def test_the_table_on_disk(films, tmp_path):
    frames = extract(films, tmp_path / "out")
    stored = pd.read_csv(tmp_path / "out" / "frames.csv")
    assert stored["path"].tolist() == frames["path"].tolist()
    assert stored["time"].tolist() == frames["time"].tolist()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems store names as text")
def test_names_of_all_kinds(tmp_path):
    clip = write_seconds(tmp_path / "clip.avi", ["red"]).read_bytes()
    names = ["ü猫 %03d", "=cmd|'!A0", "new\nline", "pipe:1", "-rf", "x" * 251]
    shown = dict(zip([f"{name}.avi" for name in names], COLOURS, strict=True))
    for name, colour in shown.items():
        written = write_seconds(tmp_path / "films" / "written.avi", [colour])
        written.rename(tmp_path / "films" / name)
    bad = os.path.join(os.fsencode(tmp_path / "films"), b"bad-\xff.avi")  # noqa: PTH118
    with open(bad, "wb") as file:  # noqa: PTH123
        file.write(clip)
    frames, _ = told(tmp_path / "films", tmp_path / "out")
    found = frames.dropna(subset="path")
    assert [Path(one).name for one in found["video"]] == sorted(shown)
    assert colours(frames) == [shown[name] for name in sorted(shown)]
    assert frames["reason"].dropna().tolist() == ["name is not UTF-8"]


def test_folders_list_videos_only(films, tmp_path):
    write_files(
        films, {"a.png": encode(picture(1)), "b.gif": encode(picture(2), "GIF"), "c.txt": b"x"}
    )
    (films / "clip.avi").rename(films / "download")  # known by its content
    frames = extract(films, tmp_path / "out")
    assert {*frames["video"].map(lambda v: Path(v).name)} == {"download", "clip.avi"}
    # The frames may lie within the folder of videos.
    assert len(extract(films, films / "frames")) == len(frames)
    assert len(extract(films, films / "frames")) == len(frames)


@pytest.mark.parametrize(
    ("videos", "options", "message"),
    [
        ("empty", {}, "no videos among 1 file"),
        ("nowhere", {}, "does not exist"),
        (3, {}, "`videos` must be a folder, a list"),
        ([], {}, "`videos` is an empty list"),
        (pd.DataFrame({"file": ["a"]}), {}, "table of videos must have a column 'path'"),
        (pd.DataFrame({"path": [None]}), {}, "1 of 1 row of the table of videos have no path"),
        ("films", {"every": 0}, "`every` must be at least 0.01"),
        ("films", {"every": "1s"}, "`every` must be a finite number"),
        ("films", {"every": None}, "extract no frame"),
        ("films", {"scene_changes": 0.3}, "`scene_changes` must be between 1 and 100"),
        ("films", {"scene_changes": "yes"}, "`scene_changes` must be a finite number"),
        ("films", {"overwrite": 1}, "`overwrite` must be True or False"),
        ("films", {"fps": 1}, "has no argument 'fps'"),
    ],
)
def test_bad_input(films, tmp_path, videos, options, message):
    write_files(tmp_path / "empty", {"a.txt": b"x"})
    given = tmp_path / videos if isinstance(videos, str) else videos
    with pytest.raises(ImagestrataError, match=message):
        extract(given, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_folder_of_videos_is_not_the_folder_of_frames(films):
    with pytest.raises(ImagestrataError, match="the folder of videos itself"):
        extract(films, films)


def test_from_the_command_line(films, tmp_path):
    write_files(films, {"broken.mp4": b"words"})
    posts = pd.DataFrame({
        "file": ["clip.avi", "sub/clip.avi", "broken.mp4"], "author": ["x", "y", "z"]
    })  # fmt: skip
    posts.to_csv(films / "posts.csv", index=False)
    out, run = tmp_path / "out", tmp_path / "run"
    first = CliRunner().invoke(
        cli.app, ["extract-frames", str(films / "posts.csv"), "--out", str(out), "--every", "0.5",
                  "--scene-changes", "--json", "--quiet"],
    )  # fmt: skip
    assert first.exit_code == 0, first.output
    said = json.loads(first.stdout)
    assert said["n_videos"] == 3
    assert said["n_frames"] == 10
    assert said["not_used"] == {"not a video": 1}
    second = CliRunner().invoke(
        cli.app, ["scan", said["table"], "--out", str(run), "--json", "--quiet"]
    )
    assert second.exit_code == 0, second.output
    assert json.loads(second.stdout)["n_files"] == 10
    scanned = pd.read_parquet(run / "images.parquet")
    assert scanned["author"].value_counts().to_dict() == {"x": 6, "y": 4}
    assert sorted(scanned["time"].unique()) == [0, 0.5, 1, 1.5, 2, 2.5]


def test_a_file_of_settings_gives_the_threshold(films, tmp_path):
    write_seconds(tmp_path / "pale.avi", ["white", "yellow"])
    for threshold, n in ((90, 2), (99, 1)):
        settings = tmp_path / "settings.toml"
        settings.write_text(f'[extract-frames]\nevery = "none"\nscene_changes = {threshold}')
        out = tmp_path / str(threshold)
        said = CliRunner().invoke(
            cli.app,
            ["extract-frames", str(tmp_path / "pale.avi"), "--out", str(out), "--config",
             str(settings), "--json", "--quiet"],
            catch_exceptions=False,
        )  # fmt: skip
        assert json.loads(said.stdout)["n_frames"] == n


def test_folders_that_moved(films, tmp_path, opened):
    """The videos and the frames are elsewhere: nothing is decoded again."""
    first = extract(films, tmp_path / "out")
    films.rename(tmp_path / "archive")
    (tmp_path / "out").rename(tmp_path / "moved")
    opened.clear()
    again = extract(tmp_path / "archive", tmp_path / "moved")
    assert opened == []
    assert again["time"].tolist() == first["time"].tolist()
    assert all(Path(path).is_relative_to(tmp_path / "moved") for path in again["path"])
    assert colours(again) == ["red", "green", "blue", "white", "black"]
    assert {Path(video).parent for video in again["video"]} == {
        tmp_path / "archive", tmp_path / "archive" / "sub"
    }  # fmt: skip
