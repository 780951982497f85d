"""What fills the store: data sets, encoders, extraction and the demo world."""
