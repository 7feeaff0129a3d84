"""How fast this system works, measured by its own events, and what that says of the time that work still takes."""
