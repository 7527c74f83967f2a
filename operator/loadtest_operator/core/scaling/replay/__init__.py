"""What if: a stored run played again through the shadow of its autoscaler, with other settings.

`course` is what the run recorded, second by second, and why it may not be enough; `fit` is what was measured of the
target in it: how the metric follows the load, what a replica can take, how long one takes to be ready; `loop` plays
load, pods, metric and shadow in a closed loop; `settings` changes the autoscaler's orders; `prediction` puts them
together, once it has reproduced the run itself; `recommendation` and `advice` say what would have suited the load, for the
status. In by `prediction` and `advice`. What is not known is said (`UnknowableError`), never
guessed. Seconds are the load's; it knows no objects and no clock.
"""
