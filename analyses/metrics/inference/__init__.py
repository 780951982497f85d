"""How sure a score is: intervals, nulls, paired differences, ceilings."""
