"""Frozen values: what a component, a tenant, a cluster and a stack are. Data that touches nothing."""
