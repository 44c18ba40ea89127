"""Columns of other channels' intensities are called as the channels are, and nothing else is called so."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from cases.stored import acquisition, one_to_one, pixels, register, work_off

import storage
from nuset_engine.nuclei import NUCLEI_COLUMNS, Nuclei, channel_columns
from storage.database.catalog import Catalog
from storage.errors import WrongRequestError
from storage.export.exporters import export
from storage.query.channel_columns import shown_names
from storage.query.filters import WORD


@pytest.mark.parametrize(
    ("channels", "means"),
    [
        (("DAPI", "GFP"), ["DAPI_mean", "GFP_mean"]),
        (("channel 0", "GFP"), [None, "GFP_mean"]),
        (("Alexa Fluor 488", "488", "α-tubulin"), ["Alexa_Fluor_488_mean", "ch488_mean", "α_tubulin_mean"]),
        (("intensity", "Intensity"), ["intensity_0_mean", "Intensity_1_mean"]),
        (("GFP (0)", "gfp 0", "gfp"), ["GFP_0_0_mean", "gfp_0_1_mean", "gfp_mean"]),
        (("intensity", "x"), ["intensity_0_mean", "x_mean"]),
        (("channel 1", "?!", "a'; --"), ["channel_1_0_mean", None, "a_mean"]),
        (("\x1b[31m\n", "م" * 240), ["ch31m_mean", "م" * 20 + "_mean"]),
    ],
)
def test_names_can_be_written_and_are_one_columns_alone(channels: tuple[str, ...], means: list[str | None]) -> None:
    taken = {*NUCLEI_COLUMNS, *(name for i in range(len(channels)) for name in channel_columns(i))}
    shown = shown_names(channels, taken)
    assert [shown.get(f"channel_{i}_mean") for i in range(len(channels))] == means
    names = list(shown.values())
    assert len({name.casefold() for name in names}) == len(names)
    assert not {name.casefold() for name in names} & taken
    for name in names:
        found = WORD.fullmatch(name)
        assert found is not None
        assert found.lastgroup == "name"
        assert len(name.encode()) < 63


def test_tables_filters_exports_and_python_name_the_channel(catalog: Catalog, tmp_path: Path) -> None:
    image = replace(acquisition(pixels(1, 3)), channel_names=("DAPI", "GFP", "channel 2"))
    row = register(catalog, image)
    catalog.add_timepoints(row.id, {0: "a"})
    measured = {"channel_1_mean": [1.5, 2.5], "channel_1_max": [2.0, 3.0], "channel_2_mean": [7.0, 8.0]}
    table = Nuclei.from_positions(0, [[1.0, 1, 1], [1, 9, 9]], **measured)
    work_off(catalog, lambda job: (table, one_to_one(0, 2)))
    mine = storage.open(tmp_path)["embryo"]
    others = [name for name in mine.nuclei().columns if name not in NUCLEI_COLUMNS][-3:]
    assert others == ["GFP_max", "GFP_mean", "channel_2_mean"]
    assert mine.nuclei(where="GFP_mean > 2")["GFP_max"].tolist() == [3.0]
    old = mine.nuclei(where="channel_1_mean > 2", columns=["channel_1_max", "GFP_mean"])
    assert old.to_dict("list") == {"channel_1_max": [3.0], "GFP_mean": [2.5]}
    with pytest.raises(WrongRequestError, match=r"GFP_max, GFP_mean, channel_2_mean\.$"):
        mine.nuclei(where="RFP_mean > 2")
    exported = export(tmp_path, "embryo", "csv", tmp_path / "out.csv").read_text().splitlines()
    assert next(csv.reader(exported))[-3:] == others
    stored = storage.open(tmp_path).sql("SELECT measurements FROM nuclei ORDER BY label")["measurements"]
    assert '"channel_1_mean": 1.5' in stored[0]
