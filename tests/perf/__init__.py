"""`make bench`: the generator beside its peers, on the same server in the same minute. Never a timed test."""
