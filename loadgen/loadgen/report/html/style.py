"""How the page looks: light and dark as the reader's system, dark on white on paper. Colours are Okabe and Ito's, which
people who see few colours can tell apart; lines differ in their dashes too.
"""

STYLE = """
:root { --ink: #1b1f24; --paper: #ffffff; --soft: #57606a; --rule: #d0d7de; --band: #f3f5f7; --fault: #f6d9c9;
  --c0: #0072b2; --c1: #b34a00; --c2: #00785a; --c3: #9a3f7d;
  --passed: #116329; --failed: #b31d28; --unsure: #7d4e00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9da7b1; --rule: #3d444d;
  --band: #171c23; --fault: #4a2a17; --c0: #56b4e9; --c1: #f0883e; --c2: #2fbf94; --c3: #e09ac4;
  --passed: #56d364; --failed: #ff7b72; --unsure: #e3b341; } }
@media print { :root { --ink: #000000; --paper: #ffffff; --soft: #333333; --rule: #999999; --band: #f3f5f7;
  --fault: #f6d9c9; --c0: #0072b2; --c1: #b34a00; --c2: #00785a; --c3: #9a3f7d; --passed: #116329; --failed: #b31d28;
  --unsure: #7d4e00; } nav { display: none; } .scroll, figure { overflow: visible !important; } svg { min-width: 0 !important; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } body { max-width: none !important; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  padding: 1.2rem; max-width: 72rem; overflow-wrap: break-word; }
h1, p, dd, pre, figcaption { overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; } p { margin: .4rem 0; }
.Passed { color: var(--passed); } .Failed, .Error, .Aborted { color: var(--failed); }
.Inconclusive, .Unknown { color: var(--unsure); }
.why { font-size: 1.1rem; } .soft, figcaption, caption { color: var(--soft); }
nav a { margin-right: 1rem; display: inline-block; } a { color: var(--c0); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; min-width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0; } th, td { text-align: left; padding: .25rem .6rem; vertical-align: top;
  border-bottom: 1px solid var(--rule); } tbody th { font-weight: 500; } .number { text-align: right; white-space: nowrap; }
td.short { white-space: nowrap; } td.words { min-width: 16rem; }
thead th { white-space: nowrap; } td { max-width: 36rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { color: var(--soft); } dd { margin: 0; }
figure { margin: 1rem 0; overflow-x: auto; } svg { width: 100%; min-width: 38rem; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.axis { stroke: var(--rule); stroke-width: 1; } .band { fill: var(--band); } .fault { fill: var(--fault); }
.line { fill: none; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); stroke-dasharray: 5 3; } .s2 { stroke: var(--c2); stroke-dasharray: 1 4; }
.s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; }
.step { stroke: var(--paper); stroke-width: 1; } .f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); }
.f3 { fill: var(--c3); }
pre { overflow-x: auto; background: var(--band); padding: .8rem; white-space: pre-wrap; }
"""
