"""The modules that carry the promises, and for each the tests that have to notice when it is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tests:
    """The tests of a module.

    Attributes
    ----------
    nearest : tuple of str
        Run first: most faults die there, in a moment.
    slower : tuple of str
        Run where the nearest noticed nothing.
    """

    nearest: tuple[str, ...]
    slower: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.nearest, *self.slower)


_TRACKER = (
    "tests/unit/tracking/linking/test_link.py",
    "tests/unit/tracking/linking/test_late_divisions.py",
    "tests/unit/tracking/linking/test_doubtful_parents.py",
    "tests/unit/tracking/test_tracker.py",
    "tests/unit/tracking/test_online.py",
)
_CATALOG = (
    "tests/unit/storage/database/test_measured.py",
    "tests/unit/storage/database/test_catalog.py",
    "tests/unit/storage/schema/test_states.py",
)
_CORRECTED = ("tests/unit/storage/corrections/test_corrected_movie.py",)
_RULES = ("tests/unit/daemon/rules/test_rule_runner.py",)
_STORE = ("tests/contracts/test_store_contract.py", "tests/contracts/test_store_replacement.py")

TARGETS: dict[str, Tests] = {
    # a file is taken when it is whole and quiet
    "daemon/watching/readiness.py": Tests(
        ("tests/unit/daemon/watching/test_readiness.py",),
        ("tests/unit/daemon/watching/test_tree.py", "tests/unit/daemon/watching/test_intake_growth.py"),
    ),
    # every time point once, whatever dies
    "daemon/processing/queue_loop.py": Tests(
        ("tests/unit/daemon/processing/test_loop_states.py", "tests/unit/daemon/processing/test_queue_loop.py"),
        (
            "tests/unit/daemon/processing/test_renewal.py",
            "tests/unit/daemon/processing/test_tracker_state.py",
            "tests/unit/daemon/processing/test_many_workers.py",
        ),
    ),
    "storage/database/claims.py": Tests(
        ("tests/unit/storage/database/test_claims.py", "tests/unit/storage/database/test_archives_wait.py"),
        (*_CATALOG, "tests/unit/storage/database/test_commits.py"),
    ),
    "storage/database/commits.py": Tests(
        ("tests/unit/storage/database/test_commits.py", "tests/unit/storage/database/test_commit_reach.py"),
        (*_CATALOG, "tests/unit/storage/database/test_claims.py"),
    ),
    # readers see whole time points of one version
    "storage/omezarr/published.py": Tests(("tests/unit/storage/omezarr/test_staging.py",), _STORE),
    "storage/omezarr/staging.py": Tests(("tests/unit/storage/omezarr/test_staging.py",), _STORE),
    "storage/omezarr/disks/exchange.py": Tests(("tests/unit/storage/omezarr/disks/test_exchange.py",), _STORE),
    "storage/omezarr/growing.py": Tests(("tests/unit/storage/omezarr/test_growing.py",), _STORE),
    # what is damaged is refused
    "storage/readers/tiff/chain.py": Tests(
        ("tests/unit/storage/readers/test_tiff_chain.py",),
        ("tests/unit/storage/readers/test_tiff.py", "tests/unit/storage/readers/test_opened_once.py"),
    ),
    "storage/readers/zarr_images/sound_blosc.py": Tests(("tests/unit/storage/readers/test_sound_blosc.py",)),
    # final ids never change, and a tracker goes on as if it had never stopped
    "tracking/tracker.py": Tests(
        (
            "tests/unit/tracking/test_pinned.py",
            "tests/unit/tracking/test_steps.py",
            "tests/unit/tracking/test_window.py",
        ),
        _TRACKER,
    ),
    "tracking/state.py": Tests(("tests/unit/tracking/test_state.py",), ("tests/unit/tracking/test_tracker.py",)),
    "tracking/linking/step.py": Tests(
        ("tests/unit/tracking/linking/test_step.py", "tests/unit/tracking/test_pinned.py"), _TRACKER
    ),
    # of many workers, none shows or overwrites what another one writes
    "daemon/processing/writing.py": Tests(
        ("tests/unit/daemon/processing/test_writing.py",), ("tests/unit/daemon/processing/test_many_workers.py",)
    ),
    # what people say changes that and nothing else, also while the acquisition grows
    "nuset_engine/corrections/edits.py": Tests(
        (
            "tests/unit/nuset_engine/corrections/test_edits.py",
            "tests/unit/nuset_engine/corrections/test_edit_limits.py",
            "tests/unit/nuset_engine/corrections/test_planning.py",
        ),
        ("tests/unit/nuset_engine/corrections/test_network_drawing.py",),
    ),
    "tracking/corrections/solve.py": Tests(
        ("tests/unit/tracking/corrections/test_solve.py",), ("tests/unit/storage/database/test_correction_scene.py",)
    ),
    "storage/database/corrections/amend.py": Tests(
        (
            "tests/unit/storage/corrections/test_amending.py",
            "tests/unit/storage/corrections/test_correction_progress.py",
        ),
        _CORRECTED,
    ),
    "storage/database/corrections/around_step.py": Tests(
        ("tests/unit/storage/corrections/test_amending.py",),
        ("tests/unit/storage/corrections/test_corrections_under_way.py", *_CORRECTED),
    ),
    # whoever follows hears of every commit once, and each answer of a rule is sent once
    "storage/database/ledger/track_changes.py": Tests(
        ("tests/unit/storage/query/test_track_changes.py", "tests/unit/storage/query/test_following.py"), _RULES
    ),
    "storage/database/ledger/rule_book.py": Tests(_RULES, ("tests/unit/storage/query/test_following.py",)),
    "storage/query/following/follower.py": Tests(("tests/unit/storage/query/test_following.py",), _RULES),
    # databases that are put together lose no row and mix none up
    "storage/database/upkeep/merging.py": Tests(
        ("tests/unit/storage/database/upkeep/test_taken_over.py",), ("tests/unit/daemon/upkeep/test_merge.py",)
    ),
    # what is asked for is what is shown
    "storage/query/filters.py": Tests(
        ("tests/unit/storage/query/test_filters.py",), ("tests/unit/storage/query/test_question.py",)
    ),
}
