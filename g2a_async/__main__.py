"""`python -m g2a_async`: the same as `g2a`."""

from g2a_async.cli import main

if __name__ == "__main__":
    main()
