import type { SubjectKeys } from '../platform/crypto/subject-cipher.ts';
import { openPersonalData, sealPersonalData } from '../platform/crypto/subject-cipher.ts';

/** The profile of a user, as sealed in its events. */
export interface Profile {
  readonly email: string;
  readonly username?: string;
  readonly name?: string;
  readonly phone_number?: string;
  readonly picture?: string;
}

/** What a session's event seals about where it began, or where its last refresh came from. */
export interface SessionOrigin {
  readonly ip: string;
  readonly user_agent: string;
  readonly device_name: string;
}

/**
 * Seals and opens one subject's data. A subject without a key was erased: its data reads as empty.
 */
export class PersonalData {
  readonly #subjectId: string;
  readonly #key: Uint8Array | null;
  /** What one request seals, or reads, it often shows too. */
  readonly #known = new WeakMap<Uint8Array, Readonly<Record<string, string>>>();

  private constructor(subjectId: string, key: Uint8Array | null) {
    this.#subjectId = subjectId;
    this.#key = key;
  }

  static async of(
    subjectKeys: SubjectKeys,
    subjectId: string,
    wrappedKey: string | null,
  ): Promise<PersonalData> {
    const key = wrappedKey === null ? null : await subjectKeys.unwrap(subjectId, wrappedKey);
    return new PersonalData(subjectId, key);
  }

  seal(record: Readonly<Record<string, string>>): Uint8Array {
    if (this.#key === null) throw new Error('an erased subject has no key');
    const sealed = sealPersonalData(this.#key, this.#subjectId, record);
    this.#known.set(sealed, record);
    return sealed;
  }

  /** Where a request came from, for the event that it causes. */
  sealPlace(from: {
    readonly address: string | null;
    readonly userAgent: string | null;
  }): Uint8Array {
    return this.seal({ ip: from.address ?? '', user_agent: from.userAgent ?? '' });
  }

  profile(pii: Uint8Array | null): Profile {
    return { email: '', ...this.#open(pii) };
  }

  sessionOrigin(pii: Uint8Array | null): SessionOrigin {
    return { ip: '', user_agent: '', device_name: '', ...this.#open(pii) };
  }

  #open(pii: Uint8Array | null): Readonly<Record<string, string>> {
    if (pii === null || this.#key === null) return {};
    let record = this.#known.get(pii);
    if (record === undefined) {
      record = openPersonalData(this.#key, this.#subjectId, pii);
      this.#known.set(pii, record);
    }
    return record;
  }
}
