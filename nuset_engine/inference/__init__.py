"""From planes to labels in two dimensions: the survey of a stack, passes of the network, proposals, watershed,
and of single planes a second look.

Takes planes and a trained network; gives scored instance labels per slice, (Y, X), and boxes of rare events. Any size,
in bounded memory. It never trains, never looks at truth, and knows nothing of the third dimension beyond the survey.
"""
