"""What TensorFlow is told of graphics cards; there are none here, so their list is played."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(("gigabytes", "megabytes"), [(4.0, 4096), (0.5, 512)])
def test_a_limit_is_set_for_each_card_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, gigabytes: float, megabytes: int
) -> None:
    tf = pytest.importorskip("tensorflow")
    from nuset_engine.runtime.keras_runtime import limit_memory

    cards = [tf.config.PhysicalDevice(f"/physical_device:GPU:{number}", "GPU") for number in (0, 1)]
    told = dict[str, list[float]]()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: cards if kind == "GPU" else [])
    monkeypatch.setattr(
        tf.config,
        "set_logical_device_configuration",
        lambda card, parts: told.update({card.name: [part.memory_limit for part in parts]}),
    )
    limit_memory(gigabytes)
    assert told == {card.name: [megabytes] for card in cards}
