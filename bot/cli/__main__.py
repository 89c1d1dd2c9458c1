"""`python -m bot.cli`: the same commands, without the script."""

from bot.cli import app

if __name__ == "__main__":
    app()
