"""Linear predictivity and R2: ridge regression in the dual and in the primal, for whole maps."""
