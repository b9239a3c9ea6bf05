"""Losses, weights and decisions of the three tasks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from imagestrata.finetune.task import class_weights, decide, first_bias, loss, probabilities


def test_missing_labels_are_masked_not_zero():
    outputs = torch.tensor([[2.0, -1.0], [0.0, 3.0]])
    truth = torch.tensor([[1.0, float("nan")], [float("nan"), 0.0]])
    by_hand = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(3))) / 2
    assert float(loss("multilabel", outputs, truth, None)) == pytest.approx(by_hand)
    nothing = torch.full((2, 2), float("nan"))
    assert float(loss("multilabel", outputs, nothing, None)) == 0


def test_binary_and_multiclass_are_softmax_and_cross_entropy():
    outputs = torch.tensor([[0.0, math.log(3)]])
    assert float(loss("binary", outputs, torch.tensor([[1.0]]), None)) == pytest.approx(
        -math.log(0.75)
    )
    assert probabilities("binary", outputs.numpy())[0, 0] == pytest.approx(0.75)
    assert probabilities("multiclass", np.zeros((1, 5), dtype=np.float32)).shape == (1, 5)
    of_three = torch.tensor([[0.0, 0.0, 0.0]])
    truth = torch.tensor([[0.0, 0.0, 1.0]])
    assert float(loss("multiclass", of_three, truth, None)) == pytest.approx(math.log(3))


def test_class_weights_are_balanced():
    truth = np.array([[1]] * 2 + [[0]] * 8, dtype=np.float32)
    assert class_weights("binary", truth).tolist() == pytest.approx([10 / 16, 10 / 4])
    several = np.array([[1, 0], [0, np.nan], [0, 1], [0, 0]], dtype=np.float32)
    assert class_weights("multilabel", several).tolist() == [3, 2]


def test_the_first_bias_is_what_is_true_of_most():
    truth = np.array([[1]] * 2 + [[0]] * 8, dtype=np.float32)
    for task in ("binary", "multilabel"):
        bias = first_bias(task, truth)[None]
        assert probabilities(task, bias)[0, 0] == pytest.approx(2.5 / 11)
    classes = np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]
    share = probabilities("multiclass", first_bias("multiclass", classes)[None])[0]
    assert share == pytest.approx(np.array([3.5, 1.5, 0.5]) / 5.5)


def test_decisions():
    probability = np.array([[0.4, 0.5], [0.6, 0.1]], dtype=np.float32)
    half = np.array([0.5, 0.5], dtype=np.float32)
    assert decide("multilabel", probability, half).tolist() == [[False, True], [True, False]]
    assert decide("multiclass", probability, half).tolist() == [[False, True], [True, False]]
