"""Tables with their queries, by noun. The steps of the path meet here, and only here is SQL built."""
