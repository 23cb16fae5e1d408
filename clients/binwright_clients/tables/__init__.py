"""Tables of workloads and of instance types: CSV and Parquet to wire messages."""
