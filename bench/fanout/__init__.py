"""Fan-out of events to browsers: our API beside other servers."""
