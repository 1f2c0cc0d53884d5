"""Stand-ins that several folders of tests share."""
