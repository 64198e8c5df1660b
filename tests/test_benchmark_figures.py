"""What the benchmarks print: a median never goes without its spread, nor figures without how busy the machine was."""

from __future__ import annotations

import pytest

from benchmarks.table import describe_load, spread


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([3.0, 1.0, 2.5], "2.50 (1.00–3.00)"),
        ([1.0, 9.0], "5.00 (1.00–9.00)"),
        ([1.0, 1.0, 1.5], "1.00 (1.00–1.50)"),
        ([0.5, 1.0, 1.0], "1.00 (0.50–1.00)"),
        ([1.0, 1.0, 1.0], "1.00"),
        ([1234.5678], "1,234.57"),
    ],
)
def test_a_median_comes_with_the_lowest_and_the_highest_value(values: list[float], shown: str) -> None:
    assert spread(values) == shown


@pytest.mark.parametrize(
    ("shares", "described"),
    [
        ([0.0, 0.02, 0.9], "used 2% of the cores (median; at most 90%). The machine was quiet."),
        (
            [0.05, 0.1, 0.3],
            "used 10% of the cores (median; at most 30%). The machine was BUSY: trust ratios of CPU",
        ),
        ([1.0], "used 100% of the cores (median; at most 100%). The machine was BUSY"),
    ],
)
def test_a_machine_that_others_use_is_called_busy(shares: list[float], described: str) -> None:
    assert described in describe_load(shares)
