"""What is done: the guard, the action protocol, the following of outcomes, and the record of both."""
