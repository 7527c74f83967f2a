"""The report as one HTML page that needs nothing else: no network, no script, no font.

`page.render(report)` is the door. Text becomes markup in one place (`markup.el`), which escapes all of it; charts are SVG
made of the same elements. What is not known is said in words and left out of the lines. What a cluster saw beside the load
(faults, replicas) comes in as `surroundings`, so that the page knows nothing of Kubernetes.
"""
