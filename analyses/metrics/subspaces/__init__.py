"""Metrics fitted on some rows and scored on others: Procrustes, CCA and its kin, soft matching."""
