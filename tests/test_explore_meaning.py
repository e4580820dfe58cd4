"""What is said of a search that found nothing."""

import math

from vmconc.explore.meaning import about_races, meaning, missed
from vmconc.explore.search import Budget, Tally, choices_of, search
from vmconc.explore.target import Target, make

GROWING = """
from vmconc.concurrent import shared, thread

@shared
class Word:
    value: int

@thread(2)
def bump(cpu, word):
    word.value += 1
    if word.value == 2:
        word.value = 0
"""


def test_the_probability_is_that_of_the_guarantee():
    """1 in 2 * 12 an execution: after 240 it is (23/24) ** 240."""
    tally = Tally(executions=240, longest=12, settled={"pct 2": 240})
    said = missed(tally, 2, 2)
    assert f"{(23 / 24) ** 240:.1g}" in said and "240 executions of 2 CPUs and at most 12 steps" in said
    assert math.isclose((23 / 24) ** 240, math.exp(240 * math.log1p(-1 / 24)))


def test_what_is_rather_missed_than_found_is_not_spoken_of():
    tally = Tally(executions=10, longest=1000, settled={"pct 3": 10})
    assert missed(tally, 4, 3) == "" and missed(tally, 4, 2) == "" and meaning(tally, 4) == []


def test_executions_before_the_longest_was_known_do_not_count(tmp_path):
    """PCT spread its change points over fewer steps then."""
    path = tmp_path / "growing.py"
    path.write_text(GROWING)
    lab = make(Target(str(path)))
    tally, failure = search(lab, choices_of("pct", 2), Budget(200), 0)
    assert failure is None and tally.by_strategy == {"pct 2": 200}
    assert 0 < tally.settled["pct 2"] < 200 and tally.longest == 7


def test_it_is_said_whether_races_were_looked_for():
    assert "not looked for" in about_races(False, False) and about_races(True, False).startswith("no data race")
    assert "to the end" in about_races(True, True)


def test_states_of_the_last_tenth_are_counted():
    tally = Tally(executions=1000, at_rest=4, new_at=[1, 5, 900, 901])
    assert meaning(tally, 2) == ["4 different states at rest, each checked; 1 of them were new in the last tenth"]
