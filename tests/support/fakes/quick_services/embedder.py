"""The embedder with a model that needs no weights."""

from tests.support.fakes.dummy_embedder import main

if __name__ == "__main__":
    main()
