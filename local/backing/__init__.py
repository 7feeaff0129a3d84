"""The broker and the database when they are ours to run, and the directory that they keep their data in."""
