"""The classic programs of workers/locks once more, as lists of steps for the exact calculator."""

from pathlib import Path

from helpers_exact import Program, Step, bug_if, join, lock, locked, look, put, start, unlock, write

FOLDER = Path(__file__).resolve().parent.parent / "workers" / "locks"


def starter(count, *then, joins=True):
    """Return the main thread: it starts all others, waits for all, and goes on."""
    return [start(i) for i in range(1, count + 1)] + [join(i) for i in range(1, count + 1) if joins] + list(then)


def bit(word, number):
    """Set a bit of a word."""
    return write(word, lambda words: words.__setitem__(word, words[word] | number))


def account():
    audit = locked("mutex", bug_if("done", lambda words: words["done"] == 3))
    others = [locked("mutex", bit("done", number)) for number in (1, 2)]
    return Program([starter(3, joins=False), audit, *others], {"mutex": 0, "done": 0})


def lazy01():
    others = [locked("mutex", bit("done", number)) for number in (1, 2)]
    last = locked("mutex", bug_if("done", lambda words: words["done"] == 3))
    return Program([starter(3), *others, last], {"mutex": 0, "done": 0})


def uneven(steps):
    count = [write("value", lambda words: words.__setitem__("value", words["value"] + 1))] * steps
    first = [bug_if("value", lambda words: words["value"] == steps)]
    return Program([starter(2, bug_if("value", lambda words: False)), first, count], {"value": 0})


def dining():
    forks = [(f"fork_{i}", f"fork_{(i + 1) % 3}") for i in range(3)]
    eaters = [[lock(left), lock(right), unlock(right), unlock(left)] for left, right in forks]
    return Program([starter(3), *eaters], {left: 0 for left, _ in forks}, deadlock=True)


def lost_update():
    def increase(own):
        read = look("value", lambda words: words.__setitem__(own, words["value"]))
        return [read, write("value", lambda words: words.__setitem__("value", words[own] + 1))]

    last = bug_if("value", lambda words: words["value"] != 2)
    return Program([starter(2, last), increase("a"), increase("b")], {"value": 0, "a": 0, "b": 0})


def bluetooth():
    def leave(own):
        def less(words):
            words["working"] -= 1
            words[own] = words["working"]

        def say(words):
            words["idle"] += words[own] == 0

        return [write("working", less), write("idle", say)]

    enter = write("working", lambda words: words.__setitem__("working", words["working"] + 1))
    work = [enter, bug_if("stopped", lambda words: words["stopped"]), *leave("a")]
    asked = [start(1), look("stopping", lambda words: 4 * words["stopping"]), *work, join(1)]
    stops = [put("stopping", 1), *leave("b"), Step("down", "idle", "idle", True), put("stopped", 1)]
    return Program([asked, stops], {"stopping": 0, "working": 1, "idle": 0, "stopped": 0, "a": 0, "b": 0})


def stringbuffer():
    length = locked("mutex", look("length", lambda words: words.__setitem__("expected", words["length"])))
    copy = locked("mutex", bug_if("length", lambda words: words["length"] < words["expected"]))
    other = locked("mutex", put("length", 0)) + locked("mutex", put("length", 3))
    return Program([[start(1), *length, *copy], other], {"mutex": 0, "length": 3, "expected": 0})


def twostage():
    setter = locked("first_mutex", put("first", 1)) + locked("second_mutex", put("second", 2))
    first = locked("first_mutex", look("first", lambda words: words.__setitem__("seen", words["first"])))
    second = locked("second_mutex", bug_if("second", lambda words: words["seen"] and not words["second"]))
    words = dict.fromkeys(("first_mutex", "second_mutex", "first", "second", "seen"), 0)
    return Program([starter(2), setter, first + second], words)


def reorder():
    looks = [
        look("a", lambda words: 1 if words["a"] else 0),  # not 0: on to its second look at a
        look("b", lambda words: 2 if words["b"] == 0 else 0),  # both are 0: to the end
        bug_if("a", lambda words: words["a"] != 1),
        bug_if("b", lambda words: words["b"] != -1),
    ]
    setter = [put("a", 1), put("b", -1)]
    return Program([starter(3), setter, setter, looks], {"a": 0, "b": 0})


SHAPES = {
    made.__name__: made()
    for made in (account, lazy01, dining, lost_update, bluetooth, stringbuffer, twostage, reorder)
}  # fmt: skip
LENGTHS = {
    "account": 12, "lazy01": 15, "dining": 18, "lost_update": 9, "bluetooth": 12, "stringbuffer": 13, "twostage": 16,
    "reorder": 14,
}  # fmt: skip
