"""`make demo`: the whole of tempoftp on real hosts, from a bare checkout."""
