"""The modules that carry the promises, and for each the tests that have to notice when it is wrong."""

from __future__ import annotations

_TRACKER = (
    "tests/unit/tracking/test_pinned.py",
    "tests/unit/tracking/linking/test_link.py",
    "tests/unit/tracking/linking/test_late_divisions.py",
    "tests/unit/tracking/linking/test_doubtful_parents.py",
    "tests/unit/tracking/test_tracker.py",
    "tests/unit/tracking/test_online.py",
)
_CATALOG = (
    "tests/unit/storage/database/test_claims.py",
    "tests/unit/storage/database/test_measured.py",
    "tests/unit/storage/database/test_catalog.py",
    "tests/unit/storage/database/test_commits.py",
    "tests/unit/storage/schema/test_states.py",
)
_STORE = ("tests/contracts/test_store_replacement.py", "tests/contracts/test_store_contract.py")

TARGETS: dict[str, tuple[str, ...]] = {
    # a file is taken when it is whole and quiet
    "daemon/watching/readiness.py": (
        "tests/unit/daemon/watching/test_readiness.py",
        "tests/unit/daemon/watching/test_tree.py",
        "tests/unit/daemon/watching/test_intake_growth.py",
    ),
    # every time point once, whatever dies
    "daemon/processing/queue_loop.py": ("tests/unit/daemon/processing/test_queue_loop.py",),
    "storage/database/claims.py": _CATALOG,
    "storage/database/commits.py": _CATALOG,
    # readers see whole time points of one version
    "storage/omezarr/published.py": _STORE,
    "storage/omezarr/staging.py": _STORE,
    "storage/omezarr/disks/exchange.py": _STORE,
    "storage/omezarr/growing.py": ("tests/unit/storage/omezarr/test_growing.py", *_STORE),
    # what is damaged is refused
    "storage/readers/tiff/chain.py": (
        "tests/unit/storage/readers/test_tiff_chain.py",
        "tests/unit/storage/readers/test_tiff.py",
        "tests/unit/storage/readers/test_opened_once.py",
    ),
    "storage/readers/zarr_images/sound_blosc.py": ("tests/unit/storage/readers/test_sound_blosc.py",),
    # final ids never change, and a tracker goes on as if it had never stopped
    "tracking/tracker.py": _TRACKER,
    "tracking/state.py": ("tests/unit/tracking/test_online.py", "tests/unit/tracking/test_tracker.py"),
    "tracking/linking/step.py": _TRACKER,
    # what is asked for is what is shown
    "storage/query/filters.py": (
        "tests/unit/storage/query/test_filters.py",
        "tests/unit/storage/query/test_question.py",
    ),
}
