"""`python -m opsconsole`."""

from opsconsole.cli.start import run

if __name__ == "__main__":
    run()
