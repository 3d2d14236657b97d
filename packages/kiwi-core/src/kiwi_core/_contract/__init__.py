"""The contract: seven rules as code, one module a rule."""
