"""PDF: its text, its structure, and what people have filled in."""
