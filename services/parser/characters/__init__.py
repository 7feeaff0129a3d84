"""Characters that a reader sees as others: signs of symbol fonts, and data that is written in letters."""
