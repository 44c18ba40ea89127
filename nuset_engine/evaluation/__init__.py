"""How good labels are: measures against truth, tables, a report, and what each part of the method adds.

Takes label images of truth and prediction; gives scores with their definitions, and pages to look at. It changes no
label, and nothing that segments may import it.
"""
