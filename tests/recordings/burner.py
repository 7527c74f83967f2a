"""Runs in a pod: uses as much CPU as planned, and listens (so is ready) after a while.

`PLAN` is [[seconds since the epoch, milli-CPU], …] for every pod alike, `READY_AFTER` seconds since the pod's
start where that is after `SLOW_FROM`.
"""

import json
import os
import socket
import time

PERIOD = 0.1

plan = json.loads(os.environ["PLAN"])
late = float(os.environ["READY_AFTER"]) if time.time() > float(os.environ["SLOW_FROM"]) else 0.0
opens = time.monotonic() + late
door = None
while True:
    begin, used = time.monotonic(), time.process_time()
    now = time.time()
    milli = next((level for since, level in reversed(plan) if since <= now), 0)
    while time.process_time() - used < milli / 1000 * PERIOD:
        pass
    if door is None and begin >= opens:
        door = socket.create_server(("", 8080))
    time.sleep(max(0.0, begin + PERIOD - time.monotonic()))
