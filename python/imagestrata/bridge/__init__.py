"""What R calls: a codec for tables and matrices, and one function for each verb."""
