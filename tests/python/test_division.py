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


def test_nothing_is_divided_if_no_pair_is_apart() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind)
    piece = divide(rows, np.arange(40), a, b, np.ones_like(same), 0.05, 5, 0.5)
    assert piece.division is None and piece.n_apart == 0 and not piece.sides


def test_asked_images_are_new_and_uncertain() -> None:
    rows, kind = two_kinds()
    a, b, same = some(kind, 12)
    piece = divide(rows, np.arange(40), a, b, same, 0.05, 5, 0.5)
    used = np.unique(np.concatenate([a, b]))
    pairs = piece.ask(3, used, np.random.default_rng(0))
    assert len(pairs) == 3 and all(one != other for one, other in pairs)
    assert not {*np.ravel(pairs).tolist()} & {*used.tolist()}
