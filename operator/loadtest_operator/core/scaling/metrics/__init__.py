"""What an autoscaler steers by, read where it reads it: the metrics APIs of Kubernetes.

`questions` says which request each metric of an autoscaling/v2 spec means, `answers` what an API's answer holds,
`readings` what value, and what ratio to the target, follows from that: by the shadow's own arithmetic, so that pods
that are unready, missing or going count as the controller counts them. In by `questions` and `readings`. It knows no
samples and no runs, and asks nobody itself (adapters/target/meter.py does). Written from the controller's source
(k8s.io/kubernetes 1.35, pkg/controller/podautoscaler/metrics) and the clients of k8s.io/metrics.
"""
