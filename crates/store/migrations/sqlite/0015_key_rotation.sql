-- A key that was replaced by a new one stays valid for a while.

ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
