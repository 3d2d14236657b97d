"""The revisions. Version 0.1.0 ends at 91c4e6b20d7a, 0.2.0 at d07f5a38c9e1."""
