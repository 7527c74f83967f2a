"""A real one-node Kubernetes on this machine, without Docker and without an image registry."""
