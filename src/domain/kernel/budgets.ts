/**
 * Whose attempts are counted together. `address`: an IPv4 address or an IPv6 /64; `network`: a /24
 * or a /48; `name`: the e-mail address as typed, from one address; `identifier`: the same, from
 * anywhere; `user`, `session` and `client` by id.
 */
export type Payer = 'address' | 'network' | 'name' | 'identifier' | 'user' | 'session' | 'client';

/** Who pays for one attempt. A rule whose payer is left out here does not count it. */
export interface Payers {
  readonly address?: string;
  readonly name?: string;
  readonly userId?: string;
  readonly sessionId?: string;
  readonly clientId?: string;
}

export interface Rule {
  readonly per: Payer;
  readonly count: number;
  readonly windowSeconds: number;
}

const minute = 60;
const hour = 3600;

const rule = (per: Payer, count: number, windowSeconds: number): Rule => ({
  per,
  count,
  windowSeconds,
});

/**
 * What one payer may spend: in each process alone, or with `REDIS_URL` in all that share the Redis.
 * Every route that appends declares the budgets it takes from; `docs/limits.md` says why each is as
 * high as it is.
 */
export const budgets = {
  login: [rule('address', 300, minute)],
  login_failure: [
    rule('name', 20, minute),
    rule('address', 60, minute),
    rule('network', 240, minute),
  ],
  login_success: [rule('user', 60, minute), rule('user', 600, hour)],
  register: [rule('name', 10, minute), rule('address', 30, minute), rule('network', 120, minute)],
  register_taken: [rule('address', 20, hour), rule('network', 80, hour)],
  mail: [rule('address', 30, minute), rule('network', 120, minute), rule('identifier', 10, hour)],
  mail_link: [rule('address', 60, minute), rule('network', 240, minute)],
  refresh: [
    rule('session', 120, minute),
    rule('session', 1200, hour),
    rule('address', 6000, minute),
  ],
  /** Each appends a session. A client that keeps its token asks once in the life of one. */
  client_token: [
    rule('client', 300, minute),
    rule('client', 6000, hour),
    rule('address', 1200, minute),
  ],
  /** A proof of a browser's key appends nothing, so no count of the session's own keeps it back. */
  device_proof: [rule('address', 6000, minute)],
  key_lookup: [rule('address', 600, minute), rule('network', 2400, minute)],
  profile: [rule('user', 20, minute), rule('user', 120, hour)],
  password: [rule('user', 10, minute), rule('user', 60, hour)],
  second_factor: [rule('user', 10, minute), rule('user', 60, hour)],
  logout_all: [rule('user', 30, minute)],
  administration: [rule('user', 600, minute), rule('user', 20_000, hour)],
  /** Nothing to limit: it appends once for each session, and sessions have their budget. */
  session_end: [],
} as const satisfies Readonly<Record<string, readonly Rule[]>>;

export type Budget = keyof typeof budgets;
