"""Videos are decoded: every frame with its time, upright, or a reason."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from films import (
    FORMATS,
    change_box,
    colour_of,
    last_for,
    plain,
    stretch,
    trim,
    turn,
    write_film,
)
from images import encode, picture
from imagestrata.corpus.film import FILMS, Film, is_film
from imagestrata.work import ItemError

FIXTURES = Path(__file__).parents[1] / "fixtures"

#: One colour per half second, at 10 frames a second.
COLOURS = ("red", "green", "blue", "white", "black", "yellow")


@pytest.fixture
def film(tmp_path):
    def write(name, **options):
        frames = (plain(colour) for colour in COLOURS for _ in range(5))
        return write_film(tmp_path / name, frames, **options)

    return write


def frames_of(path):
    """Time, colour and shape of each frame."""
    return [
        (frame.time, colour_of(shown[:, :, ::-1]), shown.shape)
        for frame in Film(str(path))
        if (shown := frame.picture()) is not None
    ]


def reason_of(path):
    with pytest.raises(ItemError) as error:
        list(Film(str(path)))
    return str(error.value)


@pytest.mark.parametrize("ending", FORMATS)
def test_each_frame_has_its_time(film, ending):
    path = film(f"film{ending}")
    assert is_film(path.read_bytes()[:1024])
    found = frames_of(path)
    assert [time for time, *_ in found] == pytest.approx(np.arange(30) / 10, abs=1e-3)
    assert [colour for _, colour, _ in found] == [c for c in COLOURS for _ in range(5)]
    assert {shape for *_, shape in found} == {(48, 64, 3)}


def test_times_follow_a_variable_frame_rate(film):
    """Phones and screen recorders write frames when something happens."""
    path = film("film.mp4")
    durations = np.random.default_rng(0).choice([0.02, 0.033, 0.1, 0.5, 2.0], 30)
    begins = last_for(path, durations)
    found = frames_of(path)
    assert [time for time, *_ in found] == pytest.approx(begins, abs=1e-6)
    assert [colour for _, colour, _ in found] == [c for c in COLOURS for _ in range(5)]
    film = Film(str(path))
    list(film)
    assert not film.cut_short


def test_clips_of_phones_are_upright(tmp_path):
    """The upper half is red. Stored lying on its side, it is shown turned clockwise."""
    upright = np.vstack([np.full((40, 48, 3), (255, 0, 0)), np.full((40, 48, 3), (0, 0, 255))])
    stored = np.rot90(upright).astype(np.uint8)  # anticlockwise
    path = write_film(tmp_path / "phone.mp4", [stored] * 5)
    turn(path)
    shown = next(iter(Film(str(path)))).picture()[:, :, ::-1]
    assert shown.shape == (80, 48, 3)
    assert colour_of(shown[:35]) == "red"
    assert colour_of(shown[45:]) == "blue"


def test_pixels_of_television_are_stretched(film):
    path = film("film.mp4")
    stretch(path, 3, 2)
    assert {shape for *_, shape in frames_of(path)} == {(48, 96, 3)}
    turn(path)
    assert {shape for *_, shape in frames_of(path)} == {(96, 48, 3)}


def test_a_trimmed_clip_is_whole(film):
    path = film("film.mp4")
    trim(path, 1, 1.5)
    assert [colour for _, colour, _ in frames_of(path)] == [
        c for c in COLOURS[2:5] for _ in "12345"
    ]
    opened = Film(str(path))
    assert [frame.time for frame in opened] == pytest.approx(np.arange(15) / 10)
    assert not opened.cut_short


def test_half_an_mp4_film_whose_index_comes_first(film):
    """As files on the web: the index is whole, and says how long the film is."""
    path = film("film.mp4")
    data = path.read_bytes()
    at = data.index(b"moov") - 4
    shift = len(data) - at

    def moved(old):
        n = struct.unpack(">I", old[4:8])[0]
        places = struct.unpack(f">{n}I", old[8:])
        return old[:8] + struct.pack(f">{n}I", *(place + shift for place in places))

    path.write_bytes(data)
    change_box(path, "moov/trak/mdia/minf/stbl/stco", moved)
    changed = path.read_bytes()
    first = changed.index(b"ftyp") - 4
    head = struct.unpack(">I", changed[first : first + 4])[0]
    path.write_bytes(changed[:head] + changed[at:] + changed[head : head + (at - head) // 2])
    half = Film(str(path))
    assert 0 < len(list(half)) < 28
    assert half.cut_short


@pytest.mark.parametrize("ending", [".avi", ".mkv", ".webm"])
def test_a_video_that_breaks_off_keeps_what_comes_before(film, ending):
    path = film(f"film{ending}")
    whole = Film(str(path))
    assert len(list(whole)) == 30
    assert not whole.cut_short
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    half = Film(str(path))
    assert 3 <= len(list(half)) < 25
    assert half.cut_short


def test_damage_in_the_middle_ends_a_video(film):
    path = film("film.mkv")
    data = path.read_bytes()
    begin, end = int(len(data) * 0.45), int(len(data) * 0.6)
    path.write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    half = Film(str(path))
    times = [frame.time for frame in half]
    assert times == pytest.approx([n / 10 for n in range(30)][: len(times)]) or not half.cut_short
    assert half.cut_short or times[-1] == pytest.approx(2.9)


def test_why_nothing_can_be_decoded(film, tmp_path):
    path = film("film.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])  # the list of frames is at the end
    assert reason_of(path) == "no frame can be decoded"
    change_box(film("film.mp4"), "moov/trak/mdia/hdlr", lambda old: old.replace(b"vide", b"soun"))
    assert reason_of(path) == "no frame can be decoded"
    path.write_bytes(b"")
    assert reason_of(path) == "empty file"
    assert reason_of(tmp_path / "none.mp4") == "file not found"
    assert reason_of(tmp_path) == "not a file"


def test_av1_needs_pyav(tmp_path, monkeypatch):
    """Three colours, two frames a second."""
    import av  # noqa: F401

    path = tmp_path / "film.mp4"
    path.write_bytes((FIXTURES / "av1.mp4").read_bytes())
    found = frames_of(path)
    assert [time for time, *_ in found] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    colours = ["red", "red", "green", "green", "blue", "blue"]
    assert [colour for _, colour, _ in found] == colours
    assert {shape for *_, shape in found} == {(64, 64, 3)}
    stretch(path, 2, 1)
    turn(path)
    assert {shape for *_, shape in frames_of(path)} == {(128, 64, 3)}
    monkeypatch.setitem(sys.modules, "av", None)
    assert reason_of(path) == "format not supported"


def test_av1_is_turned_as_other_formats_are(tmp_path):
    """The left half is red, the right half blue; turned clockwise, the upper half is red."""
    import av

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libsvtav1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stored = np.hstack([plain("red", (64, 64)), plain("blue", (64, 64))])
        for n in range(5):
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    turn(path)
    shown = next(iter(Film(str(path)))).picture()[:, :, ::-1]
    assert shown.shape == (128, 64, 3)
    assert [colour_of(shown[:56]), colour_of(shown[72:])] == ["red", "blue"]


def test_an_av1_film_with_damage(tmp_path, capfd):
    import av  # noqa: F401

    path = tmp_path / "film.mp4"
    path.write_bytes((FIXTURES / "av1.mp4").read_bytes())
    change_box(path, "mdat", lambda old: bytes(len(old)))
    assert reason_of(path) == "no frame can be decoded"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\n{}\n", "ffconcat version 1.0\nfile '{}'\n", "<html>", "words"]
)
def test_a_list_of_other_files_is_not_followed(film, tmp_path, text):
    """FFmpeg would open the files and addresses that a playlist names."""
    playlist = tmp_path / "list.mp4"
    playlist.write_text(text.format(film("film.mp4")))
    assert reason_of(playlist) == "not a video"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_images_are_no_videos(tmp_path, format):
    assert not is_film(encode(picture(1), format)[:1024])


@pytest.mark.parametrize(
    "head",
    [
        b"", b"RIFF\0\0\0\0WAVE", b"ID3\x04", b"OggS" + bytes(24) + b"\x01vorbis",
        b"\0\0\0\x1cftypM4A \0\0\0\0", b"\0\0\0\x1cftypheic\0\0\0\0", b"\0\0\0\x1cftypavif\0\0\0\0",
        b"%PDF-1.7", b"G" * 8, b"G" + b" " * 600,
    ],
)  # fmt: skip
def test_sound_and_documents_are_no_videos(head):
    assert not is_film(head)


def test_names_of_videos():
    for name in ("a.MP4", "b.mov", "c.mpeg", "d.mpg", "e.WebM"):
        assert FILMS.named.search(name), name
    for name in ("index.ts", "mp4", "a.gif", "b.mp3", "c.mp4.part", "d.srt"):
        assert not FILMS.named.search(name), name


def test_stamps_that_start_anew_continue(film, monkeypatch):
    """A recording of television whose clock is set back: times never run backwards."""
    path = film("film.mp4")

    class Clock:
        def __init__(self, capture):
            self._capture = capture
            self._stamps = iter([500, 600, 700, 0, 100, 2000, *[2000] * 24])

        def get(self, name):
            return next(self._stamps) if name == 0 else self._capture.get(name)

        def __getattr__(self, name):
            return getattr(self._capture, name)

    opened = Film(str(path))
    opened._capture = Clock(opened._capture)
    times = [frame.time for frame in opened]
    assert times[:8] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 1.5, 1.6, 1.7])


def test_ffmpeg_says_nothing(film):
    """Messages are silenced in a session that has not used OpenCV's videos before."""
    path = film("film.avi")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    path.with_name("head.avi").write_bytes(data[:100])
    script = """
import sys
from imagestrata.corpus.film import Film
for path in sys.argv[1:]:
    try:
        print(len([frame.picture() for frame in Film(path)]))
    except Exception as error:
        print(error)
"""
    told = subprocess.run(
        [sys.executable, "-c", script, path, path.with_name("head.avi")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.splitlines()[1] == "no frame can be decoded"
    assert told.stderr == ""
