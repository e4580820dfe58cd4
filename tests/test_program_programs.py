"""Programs: found by name and path, told what is wrong with them in one line."""

import numpy as np
import pytest

from vmconc.program import ProgramError
from vmconc.program.programs import describe, list_programs, load_program
from vmconc.vm import opcodes as op

GOOD = '''"""mine: one page."""
from vmconc.program import Option
OPTIONS = {"pages": Option(2, "how many", 1, 10), "label": Option("x", "text")}
def program(build, cpus, options):
    lwp = build.spawn(options.label)
    build.mmap(lwp, 0, options.pages * 4096, 3, 0)
    build.touch(lwp, build.random.randrange(options.pages) * 4096)
'''


@pytest.fixture
def mine(tmp_path):
    def write(text):
        (tmp_path / "mine.py").write_text(text)
        return str(tmp_path / "mine.py")

    return write


@pytest.mark.parametrize("name", [info.name for info in list_programs()])
def test_every_built_in_program_makes_a_plan_that_predicts_every_touch(name):
    plan = load_program(name, 2, {})
    touches = plan.ops["kind"] == op.TOUCH
    assert touches.sum() > 1000
    assert (plan.ops["check"][touches] & op.CHECK_OWN).all()
    exits = plan.ops["lwp"][plan.ops["kind"] == op.EXIT]
    assert sorted(exits.tolist()) == list(range(len(plan.lwps)))


def test_programs_describe_themselves():
    programs = {info.name: info for info in list_programs()}
    ours = "cow_fan", "fork_chain", "hot_page", "mmap_churn", "private_heap", "replay", "shared_text", "zero_fill"
    assert set(ours) <= set(programs)
    assert all(info.summary.startswith(f"{name}: ") for name, info in programs.items())
    assert describe("zero_fill").options["pages"].default == 512


def test_the_seed_decides():
    plans = [load_program("hot_page", 2, {"touches": "100"}, seed).ops for seed in (1, 1, 2)]
    assert np.array_equal(plans[0], plans[1]) and not np.array_equal(plans[0], plans[2])


def test_a_users_program_is_loaded_by_path(mine):
    plan = load_program(mine(GOOD), 1, {"pages": "0x3", "label": "hello"})
    assert plan.name == "mine" and plan.lwps[0].name == "hello" and plan.ops["length"][1] == 3 * 4096


def test_replay_runs_a_trace():
    assert load_program("replay", 2, {"trace": "sh-pipeline"}).name == "sh-pipeline"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("hotpage", {}, "no program 'hotpage'; did you mean 'hot_page'? (vmconc list)"),
        ("hot_page", {"page": "1"}, "program hot_page has no option 'page'; did you mean 'pages'?"),
        ("hot_page", {"pages": "many"}, "option pages of hot_page: 'many' is not allowed; give a whole number"),
        ("hot_page", {"pages": "0"}, "option pages of hot_page: '0' is not allowed; give 1 to 65536"),
        ("nowhere.py", {}, "no program file 'nowhere.py'"),
        ("replay", {"trace": "nowhere"}, "no such file or built-in trace"),
    ],
)
def test_mistakes_are_named_in_one_line(name, given, message):
    with pytest.raises(ProgramError) as caught:
        load_program(name, 2, given)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "    1 / 0\n", "mine.py:8: ZeroDivisionError: division by zero"),
        (GOOD + "    build.touch(5, 0)\n", "mine.py:8: PlanError: LWP 5 does not exist"),
        ("def program(:\n", "mine.py:1: invalid syntax"),
        ("import nothing_like_that\n", "mine.py:1: ModuleNotFoundError"),
        ("x = 1\n", "mine.py: no function program(build, cpus, options)"),
    ],
)
def test_a_users_program_that_fails_is_placed(mine, text, message):
    with pytest.raises(ProgramError) as caught:
        load_program(mine(text), 1, {})
    assert message in str(caught.value) and "\n" not in str(caught.value)
