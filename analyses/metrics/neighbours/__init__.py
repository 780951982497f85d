"""Metrics of nearest neighbours: mutual k-NN, cycle k-NN, CKNNA."""
