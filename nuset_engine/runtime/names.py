"""What a setting calls the runtimes, and how names of models tell which one read them."""

from __future__ import annotations

AUTO, OPENVINO, TENSORFLOW, BFLOAT16 = "auto", "openvino", "tensorflow", "tensorflow-bfloat16"
RUNTIMES = (AUTO, OPENVINO, TENSORFLOW, BFLOAT16)
ENDINGS = {OPENVINO: ".int8", BFLOAT16: ".bfloat16"}
"""How the name of a model ends that does not compute in float32; the names of weights do not end so."""


def name_fault(weights: str) -> str | None:
    """Why weights cannot be called so, for results would tell wrongly what computed them; None where they can."""
    ending = next((ending for ending in ENDINGS.values() if weights.endswith(ending)), None)
    if ending is None:
        return None
    return f"{weights!r} ends in {ending}, which tells what computed a result: choose another name"


def read_as(model: str) -> tuple[str, str]:
    """The name of the weights, and the runtime, of a model by its name as results have it."""
    for runtime, ending in ENDINGS.items():
        if model.endswith(ending):
            return model.removesuffix(ending), runtime
    return model, TENSORFLOW


def differ_by_runtime(one: str, other: str) -> bool:
    """Whether two models are, by their names, the same weights, computed otherwise."""
    return one != other and read_as(one)[0] == read_as(other)[0]
