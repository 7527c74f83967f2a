"""Judgement: what was asked for, whether it holds, how well the generator measured, the verdict; and what is wrong with a plan.


A threshold has a `scope`; its metric's measure (`latency`, `measures`) makes a claim over it (`claims`), which ends Passed, Failed or
Unknown unless one of the `guards` says first that there is nothing to judge by; `thresholds` puts it into words. `validity` (with `own`)
judges the generator stage by stage. Laptop and operator come in by the same doors: `judgement.measured` and `verdict.judge` at the end,
`early` while a run goes on, `lint` and `advice` before. Nothing else decides whether a run is good, bad or not known.
"""
