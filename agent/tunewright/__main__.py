"""`python -m tunewright`: the command line, for the interpreter that is named."""

from tunewright.cli import main

if __name__ == "__main__":
    main()
