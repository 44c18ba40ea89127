"""Evaluation of data sets: the table, the row of all, and the sheet of the worst."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawn

from nuset_engine.errors import EngineError
from nuset_engine.evaluation.scores import evaluate
from nuset_engine.evaluation.worst_images import WorstImages, outlines

TRUTH = drawn("""
    AAA.BBB
    AAA.BBB
    .......
    CCC....
""")
GOOD = TRUTH
BAD = drawn("""
    AAA....
    AAA....
    .......
    ....DDD
""")


def test_a_row_per_image_and_one_for_all_in_which_every_nucleus_counts_the_same():
    single = drawn("AAAAAA")
    result = evaluate([("good", TRUTH, GOOD), ("bad", TRUTH, BAD), ("single", single, single)])
    assert result.images.index.tolist() == ["good", "bad", "single"]
    assert result.images["ap_50"].tolist() == [1.0, 1 / 4, 1.0]
    overall = result.overall.loc["all"]
    assert overall["ap_50"] == pytest.approx(5 / (7 + 6 - 5))
    assert overall["ap_50_by_image"] == pytest.approx((1 + 1 / 4 + 1) / 3)
    assert overall["fn_rate"] == pytest.approx(2 / 7)
    assert overall["fp_rate"] == pytest.approx(1 / 6)
    assert overall["pq"] == pytest.approx(5 / 6.5)
    assert overall["seg"] == pytest.approx(5 / 7)
    assert overall["mean_iou"] == pytest.approx(result.images["mean_iou"].mean())
    assert result.worst(2) == ["bad", "good"]


def test_volumes_are_scored_like_planes():
    stack = np.stack([TRUTH, TRUTH])
    row = evaluate([("stack", stack, stack)]).overall.loc["all"]
    assert (row["ap"], row["seg"], row["true_nuclei"]) == (1.0, 1.0, 3)


def test_the_table_survives_csv(tmp_path):
    result = evaluate([("good", TRUTH, GOOD)])
    result.images.to_csv(tmp_path / "images.csv")
    assert "good" in (tmp_path / "images.csv").read_text()
    assert result.images["tp_50"].dtype == np.int64


def test_what_cannot_be_scored_is_named():
    with pytest.raises(EngineError, match=r"broken cannot be scored: .* one shape"):
        evaluate([("broken", TRUTH, TRUTH[:2])])
    with pytest.raises(EngineError, match="at least one image"):
        evaluate([])
    with pytest.raises(EngineError, match="called 'twice'"):
        evaluate([("twice", TRUTH, TRUTH)] * 2)


def test_the_sheet_keeps_the_worst_and_is_a_png(tmp_path):
    sheet = WorstImages(keep=2)
    image = np.arange(TRUTH.size, dtype=np.uint16).reshape(TRUTH.shape)
    for name, score in (("fine", 0.9), ("poor", 0.1), ("same", 0.5), ("later", 0.5)):
        sheet.offer(name, image, TRUTH, BAD, score)
    assert sheet.names() == ["poor", "same"]
    path = sheet.save(tmp_path / "worst.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_sheet_takes_colour_constant_and_nan_images(tmp_path):
    sheet = WorstImages()
    sheet.offer("colour", np.random.default_rng(0).integers(0, 255, (*TRUTH.shape, 3)), TRUTH, TRUTH, 0.0)
    sheet.offer("constant", np.zeros(TRUTH.shape), TRUTH, TRUTH, 0.0)
    sheet.offer("nan", np.full(TRUTH.shape, np.nan), TRUTH, TRUTH, 0.0)
    assert sheet.save(tmp_path / "worst.png").stat().st_size > 1000
    with pytest.raises(EngineError, match="no image to draw"):
        WorstImages().save(tmp_path / "none.png")


def test_outlines_are_the_pixels_beside_something_else():
    labels = drawn("""
        AAAA
        AAAA
        AAAA
        BBBB
    """)
    assert (~outlines(labels)).sum() == 8
    assert outlines(labels)[2:].all()
