"""`python -m training.cli`: the same commands, without the script."""

from training.cli import app

if __name__ == "__main__":
    app()
