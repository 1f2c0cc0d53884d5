"""Sources of messages: Kinesis, SQS, archives, memory."""
