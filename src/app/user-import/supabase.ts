import { type Fields, fieldsIn, firstText } from './fields.ts';

/** A row of Supabase's `auth.users`, in our format. `now`: epoch ms. */
export function fromSupabase(row: Fields, now: number): Fields {
  const metadata = fieldsIn(row.raw_user_meta_data);
  const bannedUntil = firstText(row.banned_until);
  return {
    id: row.id,
    email: firstText(row.email),
    email_verified: firstText(row.email_confirmed_at) !== undefined,
    // Postgres writes a ban without an end as `infinity`, which is no date.
    disabled: bannedUntil !== undefined && !(Date.parse(bannedUntil) <= now),
    name: firstText(metadata.full_name, metadata.name),
    phone_number: firstText(row.phone),
    picture: firstText(metadata.avatar_url, metadata.picture),
    password_hash: firstText(row.encrypted_password),
  };
}

export function isDeletedInSupabase(row: Fields): boolean {
  return firstText(row.deleted_at) !== undefined;
}
