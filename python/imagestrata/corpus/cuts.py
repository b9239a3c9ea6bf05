"""Find where the scenes of a video begin."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .film import Frame, Picture

Floats = NDArray[np.float64]

#: Seconds before and after a moment that are compared.
WINDOW = 0.5

#: Shares of the difference between two pictures: the least difference of neighbouring frames at a
#: cut, and the largest difference of a frame within a fade from a mixture of both pictures. We saw
#: 0.9 to 1.3 at cuts, below 0.1 in fades, and 0.6 and 0.3 where things moved.
_CUT, _MIXED = 0.7, 0.125

#: The size to which frames are reduced.
_SIZE = (32, 18)


def scene_starts(frames: Iterable[Frame], threshold: float) -> list[float]:
    """Return the time of the first clear frame of each scene.

    At each frame, the median picture of the half second before it is compared with that of the half
    second from it on. Their difference is the mean distance of their pixels in the colour space
    CIELAB, after both were reduced to 32 x 18 pixels. Medians ignore flashes, and show fades, which
    differ little from frame to frame. Peaks of the difference above the threshold are

    - a cut, if neighbouring frames differ about as much;
    - a fade or dissolve, if a frame between is a mixture of both pictures or of a single colour,
      and the change ends within a second. The first frame that is like those after it begins the
      new scene;
    - otherwise movement.

    Parameters
    ----------
    frames : iterable of Frame
    threshold : float
    """
    moments = _compare(frames)
    times, change, jump = moments.time, moments.change, moments.jump
    if not len(times):
        return []
    starts = [_first_clear(moments, 0, threshold / 2) or 0]
    for peak in _peaks(times, change, threshold):
        near = np.abs(times - times[peak]) <= WINDOW / 2
        start: int | None = int(np.where(near & (change > threshold), jump, -1.0).argmax())
        if jump[start] < _CUT * change[peak]:
            mixed = moments.mixture[near].min() <= _MIXED * change[peak]
            start = _first_clear(moments, peak, change[peak] / 10) if mixed else None
        if start is not None and times[start] - times[starts[-1]] >= WINDOW / 2:
            starts.append(start)
    return [float(times[start]) for start in starts]


class _Moments(NamedTuple):
    """The frames of a video, compared with their surroundings; arrays of shape (n_frames,)."""

    time: Floats
    #: From the half second before the frame to the half second from it on.
    change: Floats
    #: From the last frame to this one.
    jump: Floats
    #: From the frame to the mean of the half seconds before and from it on, or to a single colour.
    mixture: Floats
    #: From the frame to the half second from it on.
    blur: Floats


def _first_clear(moments: _Moments, start: int, limit: float) -> int | None:
    """Return the first frame within a second that is like those after it.

    If something moves, it is the one that is most like them. None if all differ by more than twice
    the limit.
    """
    after = moments.time - moments.time[start]
    known = moments.time[-1] - moments.time >= WINDOW  # nothing comes after the last frame
    blur = np.where(known & (after >= 0) & (after <= 2 * WINDOW), moments.blur, np.inf)
    clear = blur <= limit
    found = int(clear.argmax()) if clear.any() else int(blur.argmin())
    return found if blur[found] <= 2 * limit else None


def _peaks(times: Floats, change: Floats, threshold: float) -> list[int]:
    """Return where the change is above the threshold and highest within half a window.

    A picture that is shown for less than half of a window at either end is no scene.
    """
    found: list[int] = []
    inside = (times - times[0] >= WINDOW / 2) & (times[-1] - times >= WINDOW / 4)
    for place in np.flatnonzero(inside & (change > threshold)):
        near = np.abs(times - times[place]) <= WINDOW / 2
        if change[place] >= change[near].max() and not (found and near[found[-1]]):
            found.append(int(place))
    return found


def _compare(frames: Iterable[Frame]) -> _Moments:
    """Compare each frame with its surroundings, of which only a second is in memory."""
    rows = []
    before: deque[tuple[float, Floats]] = deque()
    after: deque[tuple[float, Floats]] = deque()
    coming = ((frame.time, _reduced(frame.picture())) for frame in frames)
    following = next(coming, None)
    while after or following is not None:
        while following is not None and (not after or following[0] < after[0][0] + WINDOW):
            after.append(following)
            following = next(coming, None)
        time, picture = after[0]
        while len(before) > 1 and before[0][0] < time - WINDOW:
            before.popleft()
        ahead = _median(after)
        behind, last = (_median(before), before[-1][1]) if before else (ahead, picture)
        rows.append((
            time,
            _distance(behind, ahead),
            _distance(last, picture),
            min(_distance(picture, one) for one in ((behind + ahead) / 2, picture.mean((0, 1)))),
            _distance(picture, ahead),
        ))  # fmt: skip
        before.append(after.popleft())
    return _Moments(*np.array(rows, dtype=np.float64).reshape(-1, 5).T)


def _median(pictures: Iterable[tuple[float, Floats]]) -> Floats:
    return np.asarray(np.median([picture for _, picture in pictures], axis=0))


def _distance(a: Floats, b: Floats) -> float:
    return float(np.sqrt(((a - b) ** 2).sum(axis=2)).mean())


def _reduced(picture: Picture) -> Floats:
    """Return a small picture in CIELAB."""
    import cv2

    # Of large pictures, every nth pixel is enough.
    n = max(1, min(picture.shape[0] // 144, picture.shape[1] // 256))
    few = np.ascontiguousarray(picture[::n, ::n])
    small = cv2.resize(few, _SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float64)
