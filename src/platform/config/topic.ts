import type { Setting } from './setting.ts';

/** What a command needs: the owner's `migrate` signs nothing, and needs neither issuer nor keys. */
export type ConfigPurpose = 'serve' | 'migrate';

/** The values of another topic. */
export type Read = <V>(topic: Topic<V>) => V;

type Fields = Readonly<Record<string, Setting<unknown>>>;

type Given<F extends Fields> = {
  readonly [Field in keyof F]: F[Field] extends Setting<infer T> ? T : never;
};

type Filled<F extends Fields, D> = Omit<Given<F>, keyof D> & Readonly<D>;

/** What the rules of a topic look at, and how they refuse. */
interface Check<Field> {
  readonly read: Read;
  readonly purpose: ConfigPurpose;
  /** Ignored for a variable that was malformed: its default would mislead. */
  readonly refuseIf: (wrong: boolean, field: Field, message: string) => void;
  /** For the log at the start. */
  readonly warnIf: (odd: boolean, field: Field, message: string) => void;
}

interface TopicRules<F extends Fields, D> {
  /** Defaults that follow other settings. */
  readonly fill?: (given: Given<F>, read: Read) => D;
  /** Settings that are each well-formed and contradict each other, or that prod must not run with. */
  readonly rules?: (own: Filled<F, D>, check: Check<keyof F & string>) => void;
}

/** Settings that are about one thing, as one object of values `V`. */
export interface Topic<V> {
  readonly title: string;
  readonly fields: Fields;
  fill(given: Readonly<Record<string, unknown>>, read: Read): V;
  check(own: V, check: Check<string>): void;
}

export type ValuesOf<T> = T extends Topic<infer V> ? V : never;

/**
 * A topic: its fields, each with its variable, and what it demands of them. You add a setting by
 * one field here; reading, `.env.example` and the page of settings follow.
 */
export function settings<F extends Fields, D extends object = Record<never, never>>(
  title: string,
  fields: F,
  { fill, rules }: TopicRules<F, D> = {},
): Topic<Filled<F, D>> {
  return {
    title,
    fields,
    fill: (given, read) =>
      ({ ...given, ...fill?.(given as Given<F>, read) }) as unknown as Filled<F, D>,
    check: (own, check) => rules?.(own, check),
  };
}
