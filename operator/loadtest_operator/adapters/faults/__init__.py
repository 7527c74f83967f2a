"""Eyes and hands of the providers of faults that are no workers of ours: `pods` kills pods of the target.

May use kube; the delay proxy's adapter stands with the workers, whose control API it speaks. Which adapter serves which
provider stands in `handlers.run.providers`.
"""
