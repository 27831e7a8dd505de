"""What is kept of a sweep: one file of records, who may write to it, and the tapes beside."""
