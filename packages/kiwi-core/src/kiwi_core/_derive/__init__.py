"""Credentials from the seed: sprig's ``derivePassword`` and the pipelines after it, with what they give held tainted."""
