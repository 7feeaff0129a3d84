"""The api itself."""

from services.api.__main__ import main

if __name__ == "__main__":
    main()
