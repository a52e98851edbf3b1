"""``python -m vitalrelay``."""

from vitalrelay.console import main

if __name__ == "__main__":
    main()
