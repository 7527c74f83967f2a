"""When load is offered: levels and ramps, arrivals, slots, and which share of it a segment owns.

Pure arithmetic over a plan's stages; it knows neither what is sent nor what is answered. The runtime's pacing asks it
for moments; stats and judge ask it which seconds a stage covers.
"""
