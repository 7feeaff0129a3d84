"""Processes of our own: started, watched and stopped in order, and never left behind."""
