"""pytest: the option --vmconc-seed for tests that are explored (`vmconc.concurrent.explore`)."""

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.getgroup("vmconc").addoption(
        "--vmconc-seed",
        default="0",
        metavar="N|random",
        help="seed of explored tests that name none: a number (default 0), or random: another one each time",
    )


def pytest_configure(config: Any) -> None:
    """Hand the seed on.  Raises UsageError unless it is a number or `random`."""
    given = config.getoption("--vmconc-seed")
    if given != "random" and not given.isdigit():
        import pytest

        raise pytest.UsageError(f"--vmconc-seed {given!r} is neither a number nor 'random'")
    if given != "0":
        from vmconc.explore.testing import SEED

        SEED["given"] = given
