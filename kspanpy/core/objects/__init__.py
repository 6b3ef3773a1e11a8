"""What is known of the cluster's objects: alive and dead, by uid and by name, well or not."""
