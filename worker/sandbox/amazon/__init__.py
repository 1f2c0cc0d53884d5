"""Amazon's side: the Connect API, its quotas, Contact Lens and the AWS services."""
