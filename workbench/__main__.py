"""``python -m workbench``: the command line, for when the script is not on the path."""

from workbench.cli import main

main()
