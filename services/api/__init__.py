"""The API: takes uploads and webhooks, projects the log of events, and shows it to browsers."""
