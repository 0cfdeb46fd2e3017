import { LatchkeyError } from '../domain/kernel/errors.ts';

/** What a gateway asks of a token beyond being good. */
export interface Demands {
  role?: string;
  scope?: string;
  aud?: string;
}

export const noDemands: Demands = {};

const names: readonly string[] = ['role', 'scope', 'aud'];

/**
 * The demands in the query of `/auth/verify`. A misspelt, repeated or blank one is a mistake in a
 * gateway's configuration, which must not find its doors open: `invalid_request`.
 */
export function demandsOfQuery(query: string): Demands {
  const demands: Demands = {};
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const [name, value] = splitAtEquals(pair);
    add(demands, decoded(name), decoded(value), 'query');
  }
  return demands;
}

/**
 * The demands in `X-Auth-Demand: role=…; scope=…; aud=…`, as strict as those of a query. Values
 * stand as they are, so none can hold a semicolon. A comma or a quote is refused too: it is how a
 * second header of that name, or another grammar, would look.
 */
export function demandsOfHeader(header: string): Demands {
  const demands: Demands = {};
  for (const part of header.split(';')) {
    const [name, value] = splitAtEquals(part.trim());
    if (/[",\\]/.test(value)) throw refused('X-Auth-Demand', 'has a comma or a quote');
    add(demands, name, value, 'X-Auth-Demand');
  }
  return demands;
}

/** The refusal of demands that stand where they are not read. */
export function refused(path: string, message: string): LatchkeyError {
  return new LatchkeyError('invalid_request', { errors: [{ path, message }] });
}

function add(demands: Demands, name: string, value: string, path: string): void {
  if (!names.includes(name)) throw refused(path, 'demands only role, scope and aud');
  const key = name as keyof Demands;
  if (demands[key] !== undefined) throw refused(path, `demands ${name} twice`);
  if (value.trim() === '' || value.trim() !== value) {
    throw refused(path, `demands a blank ${name}, or one with blanks around it`);
  }
  demands[key] = value;
}

function splitAtEquals(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw refused('query', 'is not UTF-8 in percent-encoding');
  }
}
