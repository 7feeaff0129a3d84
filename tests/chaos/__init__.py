"""Everything is killed at random while documents and webhook events come in; afterwards nothing is missing."""
