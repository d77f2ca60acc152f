"""What was done: who, when, with what outcome. Written by every room above, which it knows by their numbers alone."""
