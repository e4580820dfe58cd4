"""`python -m vmconc` is the command line."""

from vmconc.cli.main import main

main()
