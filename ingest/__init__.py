"""What fills the store: dataset adapters, encoders, extraction, the demo world."""
