"""The demo world: scenes with exact masks, an invented language, and two small models trained on it from nothing.

Everything is a pure function of a seed and an index. docs/design/demo-world.md says what was tried and what it shows.
"""
