"""The page's charts of depth: the bins of vmconc layers, and what is not known said."""

from helpers_browser import Reader, in_browser, needs_browser
from helpers_events import MAP, gave, story, took
from test_analysis_layers import GROWING, depths

from vmconc.analysis.layers import layers
from vmconc.page.depth import BINS, depth
from vmconc.page.recorded import Recorded
from vmconc.page.run import run_page


def growing():
    """Return events of faults that look into one, three and two layers."""
    return depths(*GROWING, at_ends=[1, 3, 2, 0])


def test_curves_are_the_bins_of_layers():
    looked, there = depth(Recorded(growing(), "")).choices[0].parts
    bins = layers(growing(), "", BINS).bins
    assert looked.values[0] == [one.most if one.faults else None for one in bins]
    assert max(value for value in looked.values[0] if value) == 3 and None in looked.values[1]
    assert there.values == [[one.objects for one in bins], [one.backings for one in bins]]


def test_what_is_not_known_is_said():
    (told,) = depth(Recorded(story(took(0, MAP), gave(0, MAP), protocol=""), "here")).choices[0].parts
    assert told.lines == ["Not known: here is a run of a program about locks: it has no layers."]


@needs_browser
def test_a_browser_draws_them(tmp_path):
    look = "drawAll(); document.title = document.querySelectorAll('#layers .scatterlayer .trace').length;"
    shown, complaints = in_browser(tmp_path, run_page(growing(), "", lambda name: None), look)
    assert complaints == [] and Reader(shown).texts["title"][0] == "5"
