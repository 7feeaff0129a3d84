"""The formats of word processors, presentations and sheets, and of books: archives of XML."""
