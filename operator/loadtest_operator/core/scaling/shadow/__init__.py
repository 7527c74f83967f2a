"""The autoscaler's algorithm, pure: what the controller of Kubernetes decides from what it sees.

`orders` is what an HPA's spec tells it, `sight` what one sync sees, `proposals` what each metric asks for, `limits` what
windows, policies, minimum and maximum make of it, `controller` one sync from all of these. In by `controller`. It knows
no samples and no runs; times are seconds on any clock. Written from the controller's documented behaviour and source
(k8s.io/kubernetes 1.35, pkg/controller/podautoscaler), and held against recordings of it (docs/shadow.md).
"""
