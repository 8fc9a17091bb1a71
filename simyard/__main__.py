"""`python -m simyard`."""

from simyard.app import main

if __name__ == "__main__":
    main()
