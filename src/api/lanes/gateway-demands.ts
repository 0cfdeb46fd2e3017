import { type Acr, acrValues } from '@latchkey/contract/acr';
import { invalidField } from '../../domain/kernel/errors.ts';
import { formText } from '../http/form-text.ts';

/** What a gateway asks of a token beyond being good. */
export interface Demands {
  role?: string;
  scope?: string;
  aud?: string;
  /** How the user must have logged in or stepped up, and how many seconds ago at most (RFC 9470). */
  acr?: Acr;
  max_age?: string;
  /** How to say yes: 204 unless told otherwise. Envoy takes nothing but 200 for it. */
  status?: '200';
}

export const noDemands: Demands = {};

const ofToken: readonly string[] = ['role', 'scope', 'aud', 'acr', 'max_age'];
const ofHeader: readonly string[] = [...ofToken, 'status'];

/**
 * The demands in the query of `/auth/verify`. A misspelt, repeated or blank one is a mistake in a
 * gateway's configuration, which must not find its doors open: `invalid_request`.
 */
export function demandsOfQuery(query: string): Demands {
  const demands: Partial<Record<string, string>> = {};
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const [name, value] = splitAtEquals(pair);
    const path = 'query';
    const decoded = { name: formText(name, path), value: formText(value, path) };
    add(demands, ofToken, { ...decoded, path });
  }
  return checked(demands, 'query');
}

/**
 * The demands in `X-Auth-Demand: role=…; scope=…; aud=…`, as strict as those of a query, and
 * `status=200`. Values stand as they are, so none can hold a semicolon. A comma or a quote is
 * refused too: it is how a second header of that name, or another grammar, would look.
 */
export function demandsOfHeader(header: string): Demands {
  const demands: Partial<Record<string, string>> = {};
  for (const part of header.split(';')) {
    const [name, value] = splitAtEquals(part.trim());
    if (/[",\\]/.test(value)) throw invalidField('X-Auth-Demand', 'has a comma or a quote');
    add(demands, ofHeader, { name, value, path: 'X-Auth-Demand' });
  }
  if ((demands.status ?? '200') !== '200')
    throw invalidField('X-Auth-Demand', 'status is 200 or absent');
  return checked(demands, 'X-Auth-Demand');
}

function checked(demands: Partial<Record<string, string>>, path: string): Demands {
  const { acr, max_age: maxAge } = demands;
  if (acr !== undefined && !(acrValues as readonly string[]).includes(acr)) {
    throw invalidField(path, `acr is one of ${acrValues.join(', ')}`);
  }
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) {
    throw invalidField(path, 'max_age is a number of seconds');
  }
  return demands as Demands;
}

function add(
  demands: Partial<Record<string, string>>,
  names: readonly string[],
  { name, value, path }: { readonly name: string; readonly value: string; readonly path: string },
): void {
  if (!names.includes(name)) throw invalidField(path, `demands only ${names.join(', ')}`);
  if (demands[name] !== undefined) throw invalidField(path, `demands ${name} twice`);
  if (value.trim() === '' || value.trim() !== value) {
    throw invalidField(path, `demands a blank ${name}, or one with blanks around it`);
  }
  demands[name] = value;
}

function splitAtEquals(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}
