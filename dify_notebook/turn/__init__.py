"""What a stream means: the values of a turn, and the one fold that makes them."""
