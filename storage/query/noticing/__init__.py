"""What rules for the microscope look at: nuclei, tracks, divisions, counts and drift at the time of one event.

Takes a snapshot, an event and a condition in the grammar of `storage.query.filters`; gives the rows for which it holds,
as plain values. Tracks are told as far as they had come by then, so that an event says the same when it is looked at
again. Nothing here decides or sends.
"""
