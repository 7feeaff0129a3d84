"""Bulk calls: what a filter chose is cancelled, retried or deleted in the background."""
