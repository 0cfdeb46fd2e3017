-- The key of a revocation begins with its end, so that entries which go together stand together. By position they did not:
-- on each page one entry of a device whose tokens live for hours kept the place of a hundred that were gone. The end and the
-- position are what pruning asks for, so one index is less to write.
-- Locks: revocations, for as long as an index of its rows takes.

alter table latchkey.revocations drop constraint revocations_pkey;
drop index latchkey.revocations_until;
alter table latchkey.revocations add constraint revocations_pkey primary key (until, pos, target_kind);
