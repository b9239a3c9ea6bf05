"""The methods paragraph on ratings says what R says, with their numbers."""

from __future__ import annotations

import pytest

from imagestrata import methods_paragraph, rating_model
from test_golden import FIXTURES
from test_golden import golden as table_of


def golden() -> dict[str, str]:
    lines = (FIXTURES / "methods-ratings.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def results() -> dict[str, object]:
    """The cases of ``tests/testthat/helper-ratings.R``."""
    means, gaps = table_of("means"), table_of("gaps")
    means = means[(means["variance"] == "two-way") & (means["weight"] == "corpus")]
    kept = (gaps["variance"] == "respondent") & (gaps["weight"] == "cluster")
    gaps = gaps[kept]
    weighted = means.assign(respondent_weight="survey_weight", month="May")
    weighted["method"] = ["sample", "corrected"] * (len(means) // 2)
    ratings = table_of("ratings")
    model = rating_model(ratings, "c(angry, hopeful) ~ group", variance="respondent")
    return {
        "means": means,
        "weighted": weighted,
        "gaps": gaps,
        "adjusted": gaps.assign(adjust="BH"),
        "plain": gaps.assign(adjust="none"),
        "model": model,
    }


@pytest.mark.filterwarnings("ignore")
def test_means_gaps_and_models_are_described_as_in_r():
    for name, result in results().items():
        text = methods_paragraph(results=result)
        assert text.startswith(f"{golden()[name]} Ratings were analysed with Python"), name


@pytest.mark.filterwarnings("ignore")
def test_several_results_are_described_in_their_order():
    given = results()
    text = methods_paragraph(results=[given["gaps"], given["means"], given["gaps"]])
    assert text.index("We compared") < text.index("We estimated")
    assert text.count("We compared") == 1
