"""What Prometheus and the kubelet read of the operator itself."""
