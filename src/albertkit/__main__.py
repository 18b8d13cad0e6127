"""`python -m albertkit`."""

from albertkit.cli import script

if __name__ == "__main__":
    script()
