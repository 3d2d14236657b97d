"""From a spec to a stack: bind, order, merge. Pure."""
