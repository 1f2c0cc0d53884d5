"""Sharing a stream's shards among workers, by the Kinesis Client Library's lease protocol."""
