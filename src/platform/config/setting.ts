import type { z } from 'zod';

/** Text to a value, and that of a default back to text. */
export type Kind<T> = z.ZodType<T, string>;

/** One environment variable: how its text is read, what stands in for it, what it is for. */
export interface Setting<T> {
  readonly variable: string;
  readonly kind: Kind<T>;
  /** Absent: the field is undefined unless the variable is set, or its topic fills it. */
  readonly fallback?: T;
  /** May also be given as a file, `KEK_FILE` for `KEK`; its value is never shown. */
  readonly secret: boolean;
  /** A value for `.env.example` where there is no default. */
  readonly example?: string;
  readonly meaning: string;
}

/** `T` is what the kind reads, `Absent` what the field is without variable and default. */
interface Draft<T, Absent> {
  default(value: T): Draft<T, never>;
  secret(): Draft<T, Absent>;
  example(text: string): Draft<T, Absent>;
  /** One sentence for operators, in Markdown. A setting without it is none. */
  says(meaning: string): Setting<T | Absent>;
}

/** Declares a setting: `variable('PORT', integer(0, 65_535)).default(3333).says('…')`. */
export function variable<T>(name: string, kind: Kind<T>): Draft<T, undefined> {
  return draft({ variable: name, kind, secret: false });
}

function draft<T, Absent>(made: Omit<Setting<T>, 'meaning'>): Draft<T, Absent> {
  return {
    default: (fallback) => draft<T, never>({ ...made, fallback }),
    secret: () => draft<T, Absent>({ ...made, secret: true }),
    example: (example) => draft<T, Absent>({ ...made, example }),
    says: (meaning) => ({ ...made, meaning }) as Setting<T | Absent>,
  };
}
