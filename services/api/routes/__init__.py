"""The routes of the API: decode, call, answer."""
