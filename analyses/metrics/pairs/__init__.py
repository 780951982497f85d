"""Metrics of pairs of items: CKA and RSA, each layer one vector over pairs."""
