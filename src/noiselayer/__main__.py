"""``python -m noiselayer``: the command line."""

from noiselayer.cli import main

if __name__ == "__main__":
    main()
