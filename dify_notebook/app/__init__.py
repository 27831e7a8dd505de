"""What is known of one app for one user: the law of what an input may be, and where each value comes from."""
