"""Files to model and back: one strict converter, and one reader for each form of file."""
