"""What corrections mean for tracks: who is joined anew, which ids stay, and what reaches nobody else.

Four tracks lie in a row, about 10 um apart, no pair as far as another, and drift by 1 um in y with every time point.
"""

from __future__ import annotations

import pytest
from cases.linked import TIMES
from cases.linked import LinkedMovie as Movie

from tracking.corrections.local_links import LocalLinks
from tracking.corrections.rules import LinkRule, NodeKey


def test_without_corrections_nothing_changes() -> None:
    movie = Movie()
    result = movie.renamed([])
    assert (result.track_of, result.tracks, result.gone) == ({}, (), ())


def test_a_deleted_nucleus_leaves_a_gap_in_its_track() -> None:
    movie = Movie()
    movie.remove((3, 2))
    owner = movie.solved()
    assert [owner[t, 2] for t in TIMES if t != 3] == [2] * 7
    assert owner == movie.track


def test_a_track_whose_nuclei_are_all_deleted_is_no_more() -> None:
    movie = Movie()
    for t in TIMES:
        movie.remove((t, 2))
    assert movie.renamed([]).gone == (2,)
    assert 2 not in movie.solved().values()


def test_a_gap_longer_than_memory_parts_a_track() -> None:
    movie = Movie()
    for t in (2, 3, 4):
        movie.remove((t, 2))
    owner = movie.solved()
    assert owner[1, 2] != owner[5, 2]
    assert {owner[t, 2] for t in (5, 6, 7)} == {2}, "the longer part keeps the id"


def test_a_link_mends_the_one_that_it_crosses() -> None:
    movie = Movie()
    for t in range(4, 8):  # the tracker took 2 for 3 and 3 for 2
        movie.track[t, 2], movie.track[t, 3] = 3, 2
    owner = movie.solved([LinkRule("link", ((3, 2), (4, 2)))])
    assert {owner[t, 2] for t in TIMES} == {owner[0, 2]}
    assert {owner[t, 3] for t in TIMES} == {owner[0, 3]}
    assert {owner[0, 2], owner[0, 3]} == {2, 3}
    assert all(owner[t, n] == n for t in TIMES for n in (1, 4))


def test_what_is_unlinked_is_not_joined_again() -> None:
    movie = Movie()
    owner = movie.solved([LinkRule("unlink", ((3, 2), (4, 2)))])
    assert owner[3, 2] != owner[4, 2]
    assert owner[4, 2] == owner[7, 2]


def test_an_ended_track_goes_on_as_another_one() -> None:
    movie = Movie()
    owner = movie.solved([LinkRule("end", ((2, 2),))])
    assert [owner[t, 2] == owner[0, 2] for t in TIMES] == [True] * 3 + [False] * 5
    assert owner[7, 2] == 2, "most nuclei keep the id"


def test_a_division_that_a_person_gives() -> None:
    movie = Movie()
    owner = movie.solved([LinkRule("divide", ((3, 2), (4, 2), (4, 3)))])
    assert movie.parents == {owner[4, 2]: owner[3, 2], owner[4, 3]: owner[3, 2]}
    assert len({owner[3, 2], owner[4, 2], owner[4, 3], owner[3, 3]}) == 4


def test_a_division_that_a_person_takes_back() -> None:
    movie = Movie()
    movie.divide(2, 3, 1, 3)
    owner = movie.solved([LinkRule("undivide", ((3, 2),))])
    assert movie.parents == {}
    assert owner[3, 2] in (2, owner[4, 1], owner[4, 3])


def test_a_daughter_whose_mother_gets_another_id_descends_from_that() -> None:
    movie = Movie()
    movie.divide(2, 5, 1, 3)
    owner = movie.solved([LinkRule("unlink", ((4, 2), (5, 2)))])
    assert movie.parents == {1: owner[5, 2], 3: owner[5, 2]}
    assert owner[4, 2] == 2


def test_two_nuclei_that_were_taken_for_one_are_joined_on_both_sides() -> None:
    movie = Movie()
    movie.remove((4, 2), loosened=True)
    movie.remove((4, 3))  # missed: the tracker bridged it
    movie.gone.pop((4, 3))
    movie.make((4, 2), 20.0)
    movie.make((4, 9), 30.0)
    owner = movie.solved()
    assert owner[4, 2] == 2
    assert owner[4, 9] == 3
    assert {owner[t, n] for t in TIMES for n in (2, 3) if (t, n) in owner} == {2, 3}


def test_pieces_that_are_one_take_the_track_that_fits() -> None:
    movie = Movie()
    movie.place[4, 9], movie.track[4, 9] = (0.0, 4.0, 22.0), 9
    movie.remove((4, 2), loosened=True)
    movie.remove((4, 9), loosened=True)
    movie.make((4, 2), 20.5)
    owner = movie.solved()
    assert [owner[t, 2] for t in TIMES] == [2] * 8
    assert movie.renamed([]).gone == (9,)


def test_a_division_moves_to_where_a_split_shows_it_first() -> None:
    movie = Movie()
    movie.divide(2, 4, 1, 3)
    movie.place |= {(t, n): (0.0, float(t), 20.0 + d) for t in range(5, 8) for n, d in ((1, -4.0), (3, 4.0))}
    movie.remove((4, 2), loosened=True)
    movie.make((4, 2), 16.5)
    movie.make((4, 9), 23.5)
    owner = movie.solved()
    assert owner[4, 2] == owner[5, 1] == 1
    assert owner[4, 9] == owner[5, 3] == 3
    assert movie.parents == {1: 2, 3: 2}
    assert owner[3, 2] == 2


def test_a_division_in_the_second_frame_moves_to_the_first() -> None:
    movie = Movie()
    movie.divide(1, 1, 2, 3)
    movie.place |= {(t, n): (0.0, float(t), 10.0 + d) for t in range(2, 8) for n, d in ((2, -4.0), (3, 4.0))}
    movie.remove((1, 1), loosened=True)
    movie.make((1, 1), 6.5)
    movie.make((1, 9), 13.5)
    owner = movie.solved()
    assert (owner[1, 1], owner[1, 9], owner[0, 1]) == (2, 3, 1)
    assert movie.parents == {2: 1, 3: 1}


def test_a_mother_that_is_drawn_anew_keeps_her_daughters() -> None:
    movie = Movie()
    movie.divide(2, 4, 1, 3)
    movie.place |= {(t, n): (0.0, float(t), 20.0 + d) for t in range(5, 8) for n, d in ((1, -4.0), (3, 4.0))}
    movie.remove((4, 2), loosened=True)
    movie.make((4, 9), 20.5)
    owner = movie.solved()
    assert owner[4, 9] == owner[3, 2] == 2
    assert movie.parents == {1: 2, 3: 2}


def test_a_daughter_whose_first_nucleus_is_deleted_is_born_later() -> None:
    movie = Movie()
    movie.divide(2, 3, 1, 3)
    movie.remove((4, 1))
    movie.solved()
    assert movie.parents == {1: 2, 3: 2}


def test_a_mother_who_loses_all_of_a_daughter_goes_on() -> None:
    movie = Movie()
    movie.divide(2, 5, 1, 3)
    for t in (6, 7):
        movie.remove((t, 1))
    owner = movie.solved()
    assert movie.parents == {}
    assert owner[6, 3] == owner[7, 3] == owner[5, 2] == 2


def test_a_new_nucleus_far_from_all_is_a_track_of_its_own() -> None:
    movie = Movie()
    movie.make((4, 9), 95.0)
    assert movie.solved()[4, 9] == 5
    assert movie.renamed([]).names == {(4, 9): 5}


def test_a_redrawn_nucleus_has_its_track_measured_anew() -> None:
    movie = Movie()
    movie.moved.add((4, 2))
    result = movie.renamed([])
    assert [track.track_id for track in result.tracks] == [2]
    assert result.track_of == {}


def test_a_later_word_counts() -> None:
    movie = Movie()
    owner = movie.solved([LinkRule("unlink", ((3, 2), (4, 2))), LinkRule("link", ((3, 2), (4, 2)))])
    assert owner == movie.track


def test_a_nucleus_that_is_drawn_anew_joins_the_track_that_jumped_over_it() -> None:
    movie = Movie()
    movie.track[4, 2] = 9  # found, in another outline than before and after it, and linked to nobody
    movie.moved.add((4, 2))
    owner = movie.solved()
    assert {owner[t, 2] for t in TIMES} == {2}


def test_a_nucleus_that_nobody_touched_stays_alone() -> None:
    movie = Movie()
    movie.track[4, 2] = 9
    movie.remove((4, 4))
    assert movie.solved()[4, 2] == 9


def test_a_mother_that_does_not_divide_goes_on_as_a_daughter_that_moved_far() -> None:
    movie = Movie()
    movie.divide(2, 3, 3, 4)
    for t in range(4, 8):
        movie.place[t, 3] = (0.0, float(t), 27.0)
        movie.place[t, 4] = (0.0, float(t), 40.0)
    owner = movie.solved([LinkRule("undivide", ((3, 2),))])
    assert owner[4, 3] == owner[3, 2]
    assert owner[4, 4] != owner[3, 2]


def test_a_division_takes_back_that_its_daughter_was_unlinked() -> None:
    movie = Movie()
    mother, one, two = (3, 2), (4, 2), (4, 1)
    said = [
        LinkRule("unlink", (mother, one)),
        LinkRule("divide", (mother, one, two)),
        LinkRule("undivide", (mother,)),
    ]
    assert movie.solved(said) == movie.track


def far_after(movie: Movie, n: int, t: int) -> None:
    """Let a track jump to where nobody would look for it."""
    for later in range(t, 8):
        movie.place[later, n] = (0.0, float(later), 180.0)


@pytest.mark.parametrize("end", [1, 2, 3, 4])
def test_a_gap_that_memory_spans_leaves_the_link_that_the_tracker_made(end: int) -> None:
    """However far the nucleus went meanwhile: it is not looked for anew."""
    movie = Movie()
    far_after(movie, 2, end + 2)
    for t in (end, end + 1):
        movie.remove((t, 2))
    owner = movie.solved()
    assert owner == movie.track


@pytest.mark.parametrize("n", [3, 4])
def test_a_gap_longer_than_memory_parts_a_track_before_its_last_nucleus(n: int) -> None:
    movie = Movie()
    for t in (4, 5, 6):
        movie.remove((t, n))
    owner = movie.solved()
    assert owner[3, n] == n
    assert owner[7, n] != n


def test_what_is_gone_fills_no_gap() -> None:
    """Others are in its place, which lie elsewhere."""
    movie = Movie()
    movie.remove((4, 2), loosened=True)
    movie.make((4, 9), 95.0)
    owner = movie.solved()
    assert [owner[t, 2] for t in TIMES if t != 4] == [2] * 7
    assert owner[4, 9] == 5


def test_what_a_link_parted_is_not_put_between_its_ends_again() -> None:
    """They lie on the way, and whose they are is not known: the person said where the track goes."""
    movie = Movie()
    owner = movie.solved([LinkRule("link", ((2, 2), (5, 2)))])
    assert [owner[t, 2] == owner[2, 2] for t in TIMES] == [True, True, True, False, False, True, True, True]


def test_a_nucleus_that_a_track_ends_with_fills_no_gap() -> None:
    movie = Movie()
    movie.remove((3, 2), loosened=True)
    movie.make((3, 9), 20.04)
    movie.remove((5, 2), loosened=True)
    movie.make((5, 9), 20.04)
    movie.place[4, 2] = (0.0, 4.0, 24.04)
    filled, ended = movie.solved(), movie.solved([LinkRule("end", ((4, 2),))])
    assert filled[4, 2] == filled[5, 9] == filled[3, 9]
    assert ended[4, 2] != ended[5, 9]


A, B, OTHER, BESIDE = (3, 2), (4, 2), (4, 3), (3, 3)
TAKEN_BACK = [LinkRule("link", (A, B)), LinkRule("link", (A, OTHER)), LinkRule("link", (BESIDE, OTHER))]


@pytest.mark.parametrize("first", [LinkRule("unlink", (A, B)), LinkRule("end", (A,))])
def test_a_link_takes_back_for_good_that_the_track_ended(first: LinkRule) -> None:
    """Also when it is given up for another one, which is given up too: then the likeliest counts."""
    assert Movie().solved([first, *TAKEN_BACK]) == Movie().track
    assert Movie().solved([*TAKEN_BACK, first]) != Movie().track


def test_a_division_takes_back_that_its_mother_ended() -> None:
    said = [LinkRule("end", (A,)), LinkRule("divide", (A, B, (4, 1))), LinkRule("undivide", (A,))]
    assert Movie().solved(said) == Movie().track


def test_a_mother_does_not_go_on_as_who_is_no_daughter() -> None:
    movie = Movie()
    owner = movie.solved([LinkRule("divide", (A, (4, 1), OTHER))])
    assert movie.parents == {owner[4, 1]: owner[A], owner[OTHER]: owner[A]}
    assert owner[B] not in (owner[A], owner[4, 1], owner[OTHER])


def test_a_division_that_a_person_gives_is_certain_and_one_that_was_found_keeps_its_score() -> None:
    movie = Movie()
    movie.divide(2, 3, 1, 3)
    for pair in (((4, 1), (4, 3)), ((4, 3), (4, 1))):
        said = [LinkRule("divide", (A, *pair))]
        assert movie.renamed(said).tracks == ()
        assert [list(links.scores.values()) for links in movie.solutions(said)] == [[0.9]] * 3
    for given in (((4, 1), (4, 4)), ((4, 4), (4, 3))):
        for links in movie.solutions([LinkRule("divide", (A, *given))]):
            assert list(links.scores.values()) == [1.0]
            assert {key(links, row) for pair in links.daughters.values() for row in pair} == set(given)


def key(links: LocalLinks, row: int) -> NodeKey:
    return int(links.nodes.t[row]), int(links.nodes.label[row])


def test_rules_that_find_nothing_to_change_are_named_and_the_others_hold() -> None:
    movie = Movie()
    movie.divide(2, 3, 1, 3)
    absent = (4, 77)
    rules = [
        LinkRule("link", (A, absent)),
        LinkRule("undivide", ((2, 4),)),
        LinkRule("end", (absent,)),
        LinkRule("undivide", (absent,)),
        LinkRule("undivide", (A,)),
        LinkRule("undivide", (A,)),
    ]
    for links in movie.solutions(rules):
        assert links.misfits == {0, 1, 2, 3, 5}
        assert links.daughters == {}


def family() -> Movie:
    """Track 2 divides after time point 4 into 1 and 3, which lie beside it."""
    movie = Movie()
    movie.divide(2, 4, 1, 3)
    movie.place |= {(t, n): (0.0, float(t), 20.0 + d) for t in range(5, 8) for n, d in ((1, -4.0), (3, 4.0))}
    return movie


@pytest.mark.parametrize(("lost", "sister", "x"), [(1, 3, 15.5), (3, 1, 24.5)])
def test_a_daughter_that_is_drawn_anew_is_one_still(lost: int, sister: int, x: float) -> None:
    """Of two nuclei in its place it is the nearer one; another time point is not its place."""
    movie = family()
    movie.remove((5, lost), loosened=True)
    movie.make((5, 9), x)
    movie.make((5, 8), 9.0 if lost == 1 else 3.0)
    movie.make((6, 9), 60.0)
    owner = movie.solved()
    assert owner[5, 9] == owner[6, lost] == lost
    assert owner[5, sister] == sister
    assert movie.parents == {lost: 2, sister: 2}
    assert [track.division_score for track in movie.renamed([]).tracks if track.track_id == lost] == [0.9]


def test_a_daughter_that_is_gone_with_nothing_in_its_place_lets_the_mother_go_on() -> None:
    movie = family()
    movie.remove((5, 1), loosened=True)
    movie.make((7, 9), 60.0)
    owner = movie.solved()
    assert movie.parents == {}
    assert {owner[t, 2] for t in range(5)} | {owner[t, 3] for t in range(5, 8)} == {2}


def test_two_daughters_that_are_drawn_anew_leave_their_mother_to_what_is_likeliest() -> None:
    movie = family()
    for label, x in ((1, 15.5), (3, 24.0)):
        movie.remove((5, label), loosened=True)
        movie.make((5, label + 7), x)
    owner = movie.solved()
    assert movie.parents == {}
    assert owner[4, 2] == owner[5, 10]


@pytest.mark.parametrize(
    "rule",
    [
        LinkRule("unlink", ((4, 2), (5, 9))),  # it is none of hers
        LinkRule("link", ((4, 4), (5, 9))),  # it is another one's
        LinkRule("link", ((4, 2), (5, 3))),  # she goes on as the other one
    ],
)
def test_a_daughter_that_is_drawn_anew_is_none_where_a_person_says_so(rule: LinkRule) -> None:
    movie = family()
    movie.remove((5, 1), loosened=True)
    movie.make((5, 9), 15.5)
    movie.solved([rule])
    assert movie.parents == {}


@pytest.mark.parametrize("daughter", [(5, 1), (5, 3)])
@pytest.mark.parametrize("kind", ["link", "unlink"])
def test_a_mother_that_is_drawn_anew_keeps_no_daughters_against_a_persons_word(kind: str, daughter: NodeKey) -> None:
    movie = family()
    movie.remove((4, 2), loosened=True)
    movie.make((4, 9), 20.5)
    owner = movie.solved([LinkRule(kind, ((4, 9), daughter))])
    assert movie.parents == {}
    assert (owner[4, 9] == owner[daughter]) == (kind == "link")


@pytest.mark.parametrize(
    "rules",
    [
        [LinkRule("link", ((3, 2), (4, 8)))],
        [LinkRule("divide", ((3, 2), (4, 8), (4, 4))), LinkRule("link", ((3, 4), (4, 4)))],
    ],
)
def test_a_division_does_not_move_to_where_a_person_says_that_one_goes_on(rules: list[LinkRule]) -> None:
    movie = family()
    movie.remove((4, 2), loosened=True)
    movie.make((4, 8), 16.5)
    movie.make((4, 9), 23.5)
    owner = movie.solved(rules)
    assert movie.parents == {}
    assert owner[3, 2] == owner[4, 8] == owner[5, 1]
    assert owner[4, 9] == owner[5, 3]


def test_a_division_moves_to_no_nuclei_that_were_there_before() -> None:
    """The mother is gone; where two others ended, the daughters are these, going on."""
    movie = family()
    movie.place[4, 8], movie.track[4, 8] = (0.0, 4.0, 16.0), 8
    for t in (2, 3, 4):
        movie.place[t, 9], movie.track[t, 9] = (0.0, float(t), 24.0), 9
    movie.remove((4, 2), loosened=True)
    movie.make((4, 5), 95.0)
    owner = movie.solved()
    assert movie.parents == {}
    assert owner[4, 8] == owner[5, 1]
    assert owner[3, 9] == owner[4, 9] == owner[5, 3]


def test_a_mother_that_is_drawn_anew_has_no_daughter_that_is_there_already() -> None:
    """What was drawn lies in a later time point, where the other daughter is."""
    movie = family()
    for t in (5, 6):
        movie.remove((t, 3))
    movie.place |= {(t, 1): (0.0, float(t), 30.0) for t in range(5, 8)} | {(7, 3): (0.0, 7.0, 20.0)}
    movie.remove((4, 2), loosened=True)
    movie.make((5, 9), 20.0)
    owner = movie.solved()
    assert movie.parents == {}
    assert owner[3, 2] == owner[5, 9] == owner[7, 3]
