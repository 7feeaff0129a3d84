"""The processes of Stagecast, and the runtime that they share."""
