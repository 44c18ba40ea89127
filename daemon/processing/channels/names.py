"""What the names of channels say about which of them shows nuclei."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Stains and proteins by how sure a name is; of channels that match, those of the first rank that any has count.
# Words stand alone, so that "PI" is not found in "PIXEL" nor "H3" in "PH3", which only dividing nuclei show.
RANKS = (
    (
        # of the DNA of every nucleus
        r"dapi",
        r"hoechst|\bhoe?\s?33[23]\d\d",
        r"nuc(?:blue|spot|red|green|light)|nuclear[\s_-]?(?:id|mask|violet|green|yellow|stain|counterstain)",
        r"draq\s?5",
        r"(?:sir|spy\d*|jf\d*|mem)[\s_-]?dna|vybrant|dye\s?cycle",
        r"(?<![a-z])nuclei|(?<![a-z])nucleus|(?<![a-z])nuclear(?![\s_-]?(?:pore|envelope))",
        r"h2b",
        r"histone",
        r"(?<![a-z0-9])dna(?![a-z])|chromatin",
    ),
    (
        # of the nuclei of dead or fixed cells, or proteins that are in nuclei, in some more than in others
        r"sytox|draq\s?7|propidium|(?<![a-z0-9])pi(?![a-z0-9])|to-?pro|yo-?pro|toto-?[13]|7-?aad|sytogreen|syto\s?\d+",
        r"(?<![a-z0-9])h2a(?![a-z0-9]|\.?x)|(?<![a-z0-9])h[14](?![a-z0-9])",
        r"(?<!phospho-)(?<!phospho )(?<![a-z0-9])h3(?![a-z0-9])",
        r"pcna|(?<![a-z])nls|lmn[ab]|lamin(?![a-z])",
    ),
)
_EXPRESSIONS = tuple(re.compile("|".join(rank), re.IGNORECASE) for rank in RANKS)

HINT = re.compile(r"(?<![a-z])(?:e|tag|mtag)?bfp|azurite|(?<!\d)(?:355|364|385|405|4[3-6]\d)(?!\d)", re.IGNORECASE)
"""Blue, in which most dyes of nuclei are seen: this decides nothing."""
HINTED = 1.0  # log odds

OTHERS = re.compile(
    r"bright\s?-?field|(?<![a-z])(?:bf|dic|td|tl|phase|ph[123]?)(?![a-z])|transmi|t-?pmt|trans(?![a-z])|nomarski|esid|"
    r"actin|phalloidin|tubulin|cytoplasm|membrane|cell\s?mask|wga|mito|lyso|golgi|vimentin|keratin|cadherin|alpha\Z",
    re.IGNORECASE,
)
"""Names of what is not nuclei."""


def named_nuclear(names: Sequence[str]) -> tuple[int, ...]:
    """Return the channels whose names say that they show nuclei: those of the surest kind that any name is of."""
    for expression in _EXPRESSIONS:
        found = tuple(i for i, name in enumerate(names) if expression.search(name) and not OTHERS.search(name))
        if found:
            return found
    return ()


def named_otherwise(names: Sequence[str]) -> tuple[int, ...]:
    """Return the channels whose names say that they show something else."""
    return tuple(i for i, name in enumerate(names) if OTHERS.search(name))
