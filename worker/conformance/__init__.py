"""The conformance kit: finds out how an organization behaves where documentation does not say."""
