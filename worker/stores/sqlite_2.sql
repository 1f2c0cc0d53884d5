-- The second form: what went wrong with a contact stands beside it. Semicolons only end statements.
--
-- From here on "parked" has two bits, 1 for parked steps and 2 for a fault, so that the lists and
-- the partial indexes of the first form hold as they are and no file is read through for them.

ALTER TABLE contact ADD COLUMN fault TEXT;  -- JSON, see worker.stores.protocol.FaultNote
