"""Formats of values more than of prose: tables, JSON, XML; and mail, which may hold any of them."""
