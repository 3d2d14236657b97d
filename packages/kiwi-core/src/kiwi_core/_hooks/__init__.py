"""The hooks' runtime: the kinds of hooks, and what brings a server from what it is to what is wanted."""
