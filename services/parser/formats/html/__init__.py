"""HTML: pages, the chapters of books, and the bodies of mail."""
