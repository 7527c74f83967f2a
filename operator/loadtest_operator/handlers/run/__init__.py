"""One LoadTest, look after look: `gather` the world, let `core.run` decide, `writer` the status, `act`. In by `reconcile` and `farewell`.

`memory` is what is kept between two looks; losing it costs work, never truth. `asking` keeps what does not answer from holding a look;
`turns` says who has the target; `providers` is the table of who makes faults.
"""
