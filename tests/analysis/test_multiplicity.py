"""Adjusted p-values against their definitions, worked out by hand."""

import pytest

from analysis.multiplicity import adjusted


def test_holm_multiplies_by_how_many_are_left():
    # Sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2, and 0.04, which cannot fall below the one before.
    found = adjusted([0.04, 0.01, None, 0.03, 0.02], "holm")
    assert found == [pytest.approx(0.06), pytest.approx(0.04), None, *[pytest.approx(0.06)] * 2]


def test_benjamini_hochberg_divides_by_the_rank():
    # Sorted: 0.01 x 4 / 1, 0.02 x 4 / 2, 0.03 x 4 / 3, 0.04: all 0.04.
    assert adjusted([0.04, 0.01, 0.03, 0.02], "fdr_bh") == [pytest.approx(0.04)] * 4


def test_without_tests_there_is_nothing():
    assert adjusted([None, None], "holm") == [None, None]
    assert adjusted([], "holm") == []
