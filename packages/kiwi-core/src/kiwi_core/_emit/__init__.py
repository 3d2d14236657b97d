"""From a stack to a tree of files. Pure: the same stack gives the same bytes."""
