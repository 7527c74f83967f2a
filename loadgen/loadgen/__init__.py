"""A load generator for inference services that measures itself. Knows nothing of Kubernetes."""

__version__ = "0.1.0"
