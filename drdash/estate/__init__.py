"""What is known of each tenant's estate: the snapshot, the store that shares it, the passes that fill it."""
