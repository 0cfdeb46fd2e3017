import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { Kind } from './setting.ts';

export const text = z.string();

export const integer = (min: number, max: number): Kind<number> =>
  z.codec(
    z.string().regex(/^\d{1,15}$/, 'must be a whole number'),
    z.number().refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`),
    { decode: Number, encode: String },
  );

export const seconds = integer;
export const milliseconds = integer;
export const port = integer(0, 65_535);

/** One of `names`, or the refusal that lists them. */
export const oneOf = <const N extends readonly [string, string, ...string[]]>(names: N) =>
  z.enum(names, `must be ${listed(names)}`) as Kind<N[number]>;

export const onOrOff: Kind<boolean> = z.codec(oneOf(['on', 'off']), z.boolean(), {
  decode: (given) => given === 'on',
  encode: (isOn) => (isOn ? 'on' : 'off'),
});

export const url = (protocols: readonly string[], example: string) =>
  z.string().refine((given) => {
    const parsed = URL.parse(given);
    return parsed !== null && protocols.includes(parsed.protocol) && parsed.hostname !== '';
  }, `must be a URL such as ${example}`);

/** An address or a name; `[::1]` as in a URL is accepted. */
export const host: Kind<string> = z.codec(
  z.string().regex(/^[\w.:%[\]-]+$/, 'must be an address such as 127.0.0.1 or ::1'),
  z.string(),
  { decode: (given) => given.replace(/^\[(.*)\]$/, '$1'), encode: (address) => address },
);

const list = (isItem: (item: string) => boolean, message: string): Kind<string[]> =>
  z.codec(
    z.string(),
    z.array(z.string()).refine((items) => items.every(isItem), message),
    {
      decode: itemsOf,
      encode: (items) => items.join(','),
    },
  );

/** Origins as a browser sends them: `https://app.example.com`, without a path. */
export const origins = list(
  (item) => URL.parse(item)?.origin === item && item !== 'null',
  'must be a list of origins such as https://app.example.com, without a path',
);

export const networks = list(
  (item) => ipaddr.isValidCIDR(item) || ipaddr.isValid(item),
  'must be a list of networks or addresses such as 10.0.0.0/8,::1',
);

/** The parts of a list that is separated by commas; empty ones do not count. */
export function itemsOf(given: string): string[] {
  return given
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
