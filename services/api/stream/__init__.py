"""Streams of events to browsers: many cursors into one ring."""
