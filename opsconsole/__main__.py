"""`python -m opsconsole`."""

from opsconsole.cli.main import run

if __name__ == "__main__":
    run()
