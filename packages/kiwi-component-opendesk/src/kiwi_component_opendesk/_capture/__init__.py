"""How the facts are read from a checkout of openDesk: nothing is rendered, and what is not understood is an error."""
