"""What a setting calls the runtimes, and how names of models tell which one read them."""

from __future__ import annotations

AUTO, OPENVINO, TENSORFLOW, BFLOAT16 = "auto", "openvino", "tensorflow", "tensorflow-bfloat16"
RUNTIMES = (AUTO, OPENVINO, TENSORFLOW, BFLOAT16)
ENDINGS = {OPENVINO: ".int8", BFLOAT16: ".bfloat16"}
"""How the name of a model ends that does not compute in float32."""


def read_as(model: str) -> tuple[str, str]:
    """The name of the weights, and the runtime, of a model by its name as results have it."""
    for runtime, ending in ENDINGS.items():
        if model.endswith(ending):
            return model.removesuffix(ending), runtime
    return model, TENSORFLOW
