"""The remote DR API as values and errors: records, wire rules, tokens, one method per call."""
