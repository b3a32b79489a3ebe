"""How well a model answers requests with exact calls: cases, scores, runs, tables.

`hermes train eval` and `python -m training.evaluate` are its doors.
"""
