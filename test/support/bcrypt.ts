import { hashSync } from '@node-rs/bcrypt';

/** A hash as other systems store it: at the lowest cost, so that a test is quick. */
export function bcryptHash(password: string, version: '2a' | '2b' | '2y' = '2b'): string {
  return hashSync(password, 4).replace(/^\$2\w\$/, `$${version}$`);
}
