"""`python -m obeya.cli`, the same as `obeya`."""

from obeya.cli import main

main(prog_name="obeya")
