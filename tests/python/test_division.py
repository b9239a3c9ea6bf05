from __future__ import annotations

import numpy as np
import pytest

from imagestrata.validation.division import Division, divide, fit_division


def two_kinds(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of images of two kinds, which differ in one of many directions."""
    rng = np.random.default_rng(0)
    kind = np.arange(n) % 2
    rows = rng.normal(size=(n, 6))
    rows[:, 2] = 3.0 * kind + rng.normal(0, 0.3, n)
    return rows, kind


def some(kind: np.ndarray, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(1).integers(0, len(kind), (2, n))
    return a[a != b], b[a != b], (kind[a] == kind[b])[a != b]


def test_pairs_find_the_direction_that_divides() -> None:
    rows, kind = two_kinds()
    found = fit_division(rows, *some(kind), 0.05)
    assert max((found.first == kind).mean(), (found.first != kind).mean()) == 1
    # The uncertainty of coefficients draws probabilities to one half.
    assert (np.abs(found.expected - 0.5) <= np.abs(found.side - 0.5) + 1e-9).all()


def test_two_images_apart_by_hand() -> None:
    rows, pair = np.array([[-1.0], [1.0]]), (np.array([0]), np.array([1]))
    found = fit_division(rows, *pair, np.array([False]), 0.0)
    # With p and 1 - p on the first side, and g = p (1 - p), the pair is apart with probability
    # 1 - 2 g. Its logarithm minus 0.05 w^2 is largest at logit p = w = 20 g (2 p - 1) / (1 - 2 g).
    p = found.side.max()
    w, g = np.log(p / (1 - p)), p * (1 - p)
    assert w == pytest.approx(20 * g * (2 * p - 1) / (1 - 2 * g), abs=1e-4)
    assert w == pytest.approx(2.0102, abs=1e-3)
    assert found.side.sum() == pytest.approx(1)
    # The information of the pair about w is the square of 2 g (2 p - 1), over t (1 - t), t = 2 g.
    information = (2 * g * (2 * p - 1)) ** 2 / (2 * g * (1 - 2 * g))
    assert found.covariance[0, 0] == pytest.approx(1 / (information + 0.1), rel=1e-3)
    assert found.covariance[1, 1] == pytest.approx(1 / 0.1)


def test_gains_of_an_uncertain_division_by_hand() -> None:
    # Logits are three times as large: 3/4 becomes 27/28. Both images belong together with t.
    side, t = np.array([0.75, 0.25]), 2 * 27 / 28**2
    gain, lost = Division(np.zeros((2, 1)), side, side, np.eye(1)).gain()
    assert gain == pytest.approx(2 - (1 + t))
    assert lost == pytest.approx(2 * t / (1 + t))


def test_gains_of_a_certain_division_by_hand() -> None:
    sure = np.array([1.0, 1.0, 1.0, 0.0])
    gain, lost = Division(np.zeros((4, 1)), sure, sure, np.eye(1)).gain()
    # Precision in sum: 4 after, (3 * 3 + 1) / 4 before. No image loses one that belongs with it.
    assert gain == pytest.approx(4 - 10 / 4)
    assert lost == pytest.approx(0)


def test_pieces_are_divided_in_turn_and_none_is_too_small() -> None:
    rows, _ = two_kinds(60)
    kinds = np.arange(60) % 3
    rows[:, 4] += 6.0 * kinds
    a, b, same = some(kinds, 400)
    whole = divide(rows, np.arange(60), a, b, same, 0.0, 5, 0.5)
    ends = [piece for piece in whole.all() if not piece.sides]
    assert sorted(np.concatenate([piece.images for piece in ends])) == [*range(60)]
    assert all(len({*kinds[piece.images]}) == 1 for piece in ends)
    assert not divide(rows, np.arange(60), a, b, same, 0.0, 31, 0.5).sides


def test_the_order_of_images_and_pairs_does_not_matter() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind)
    rng = np.random.default_rng(2)
    images, pairs = rng.permutation(len(rows)), rng.permutation(len(a))
    place = np.argsort(images)
    found = fit_division(rows, a, b, same, 0.05)
    # Which side is first may change.
    turned = fit_division(rows[images], place[b[pairs]], place[a[pairs]], same[pairs], 0.05)
    side = turned.side[place]
    assert min(np.abs(side - found.side).max(), np.abs(1 - side - found.side).max()) < 1e-3
    assert turned.gain() == pytest.approx(found.gain(), abs=1e-2)
    ends = divide(rows[images], np.arange(40), place[b], place[a], same, 0.05, 5, 0.5).ends()
    assert {frozenset(images[end.images].tolist()) for end in ends} == {
        frozenset(end.images.tolist())
        for end in divide(rows, np.arange(40), a, b, same, 0.05, 5, 0.5).ends()
    }


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_origin_and_the_unit_of_vectors_do_not_matter(scale: float) -> None:
    rows, kind = two_kinds()
    found, other = (fit_division(x, *some(kind), 0.05) for x in (rows, scale * (rows + 7)))
    assert (found.first == other.first).all() or (found.first == ~other.first).all()


def test_nothing_is_divided_if_all_pairs_are_together() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind)
    piece = divide(rows, np.arange(40), a, b, np.ones_like(same), 0.05, 5, 0.5)
    assert piece.division is None and piece.n_apart == 0 and not piece.sides
    assert piece.ask(3, a, np.random.default_rng(0)) == []


def test_nothing_is_divided_without_pairs_inside() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind)
    across = (a < 20) != (b < 20)
    piece = divide(rows, np.arange(20), a[across], b[across], same[across], 0.05, 5, 0.5)
    assert piece.n_pairs == 0 and piece.division is None and piece.all() == piece.ends() == [piece]
    # Without pairs a tenth of them is expected to be apart.
    assert piece.loss() == pytest.approx(2)


def test_images_of_which_all_pairs_are_apart_stay_whole_or_are_divided() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind)
    piece = divide(rows, np.arange(40), a, b, np.zeros_like(same), 0.05, 5, 0.5)
    assert piece.n_apart == piece.n_pairs == len(a)
    assert sorted(np.concatenate([end.images for end in piece.ends()])) == [*range(40)]
    assert all(len(end.images) >= 5 for end in piece.ends())


def test_one_pair_decides_little() -> None:
    rows, _ = two_kinds()
    pair = np.array([0]), np.array([1]), np.array([False])
    piece = divide(rows, np.arange(40), *pair, 0.05, 5, 0.5)
    assert piece.division is not None
    assert np.isfinite(piece.division.covariance).all()
    assert (np.abs(piece.division.expected - 0.5) < 0.5).all()
    assert len(piece.ask(3, np.array([0, 1]), np.random.default_rng(0))) == 3


def test_equal_images_are_not_divided() -> None:
    _, kind = two_kinds()
    piece = divide(np.ones((40, 3)), np.arange(40), *some(kind), 0.05, 5, 0.5)
    assert piece.n_apart > 0 and not piece.sides


def test_asked_images_are_new_and_uncertain() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind, 12)
    piece = divide(rows, np.arange(40), a, b, same, 0.05, 5, 0.5)
    used = np.unique(np.concatenate([a, b]))
    pairs = piece.ask(3, used, np.random.default_rng(0))
    assert len(pairs) == 3 and all(one != other for one, other in pairs)
    assert not {*np.ravel(pairs).tolist()} & {*used.tolist()}
