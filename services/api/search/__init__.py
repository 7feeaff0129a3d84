"""From a query to the chunks nearest to it."""
