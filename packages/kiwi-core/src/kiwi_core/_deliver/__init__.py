"""The world: disk, git, Helm, helmfile, OCI, the cluster."""
