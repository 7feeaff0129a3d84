"""Talk to Stagecast from Python."""
