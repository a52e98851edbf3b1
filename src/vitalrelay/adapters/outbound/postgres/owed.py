"""
What is owed, in words that are a condition of the index.

Whatever is not published has a date for the relay (and what was published lately still has one).
Of these dates there are no statistics, so that claims keep to the index after an outage as before
it; that there is any date at all the planner would take for no restriction, and a range for one.
"""

DATED = "relay_at between '-infinity' and 'infinity'"
OWED = f"{DATED} and status <> 'published'"
