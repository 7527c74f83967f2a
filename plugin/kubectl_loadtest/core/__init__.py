"""What is decided: the change that starts or stops a run, which run is waited for, what a stored report holds, what to do next.
Pure: objects and times in, objects and sentences out.
"""
