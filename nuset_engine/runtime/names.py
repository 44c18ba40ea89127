"""What a setting calls the runtimes."""

from __future__ import annotations

AUTO, OPENVINO, TENSORFLOW = "auto", "openvino", "tensorflow"
RUNTIMES = (AUTO, OPENVINO, TENSORFLOW)
