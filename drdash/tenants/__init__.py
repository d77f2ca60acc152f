"""Who is watched, through which credential, and who may see and act."""
