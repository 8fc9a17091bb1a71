"""Webhooks: where accounts want to be told of messages, and each announcement on its way there."""
