"""Every way to take a case home: a session, or a selection of it, as one file of a format that others can read.

A session of any size is streamed: an index of the journal is in memory, never its entries.
"""
