"""Where rows come from while a session runs: one file a feed, one contract for all."""
