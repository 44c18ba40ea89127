"""Names of channels that say what they show, as microscopes and people write them."""

from __future__ import annotations

import pytest

from daemon.processing.channels.looking import hint
from daemon.processing.channels.names import named_nuclear, named_otherwise

NUCLEI = (
    "DAPI", "Dapi - 405", "Hoechst 33342", "Hoechst33258", "HO33342", "NucBlue", "NucSpot 650", "NucRed", "DRAQ5",
    "SiR-DNA", "SPY650-DNA", "JF646-DNA", "H2B-GFP", "mCherry-H2B", "histone", "nuclei", "Nuclear stain", "DNA",
    "DRAQ7", "SYTOX Green", "propidium iodide", "PI", "TO-PRO-3", "TOPRO3", "7-AAD", "H2A-mCherry", "GFP-H3", "H3.3",
    "PCNA-GFP", "NLS-mScarlet", "LMNB1", "lamin A/C", "Vybrant DyeCycle Violet", "BFP-NLS",
)  # fmt: skip
OTHERS = (
    "GFP", "mCherry", "EGFP-tubulin", "phalloidin-PI", "PIXEL", "API", "pH3 (S10)", "phospho-H3", "gH2AX", "H2AX",
    "perinuclear", "BF", "brightfield", "TL DIC", "Phase", "Cy5", "Alexa 488", "MitoTracker", "WGA", "nucleolin", "red",
    "channel 0", "405", "BFP", "T-PMT", "Trans", "laminin", "SPINNING",
)  # fmt: skip


@pytest.mark.parametrize("name", NUCLEI)
def test_a_name_of_nuclei_is_known(name: str) -> None:
    assert named_nuclear(["GFP", name, "brightfield"]) == (1,)


@pytest.mark.parametrize("name", OTHERS)
def test_another_name_is_not(name: str) -> None:
    assert named_nuclear([name, "Cy3"]) == ()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["PI", "DAPI"], (1,)),  # of dead cells alone, beside one of all
        (["Hoechst", "SYTOX"], (0,)),
        (["LMNB1", "H2B-RFP"], (1,)),
        (["gH2AX", "DAPI"], (1,)),
        (["DAPI low", "DAPI high"], (0, 1)),  # which of them is to be looked at
    ],
)
def test_the_surest_name_counts(names: list[str], expected: tuple[int, ...]) -> None:
    assert named_nuclear(names) == expected


def test_blue_is_a_hint_and_known_stains_of_others_are_one_against() -> None:
    names = ["405", "BFP", "488", "phalloidin", "Ex 561"]
    assert [hint(names, i) for i in range(5)] == [1.0, 1.0, 0.0, -2.0, 0.0]
    assert named_otherwise(["BF", "TL DIC", "actin-GFP", "GFP"]) == (0, 1, 2)
