import { fieldDescriptions } from './field-descriptions.ts';

/** What each group of operations is for. A test refuses a tag without a description. */
const tagDescriptions: Readonly<Record<string, string>> = {
  'Sign in': 'Register, log in, refresh your tokens and log out.',
  Sessions: 'The sessions of a user: see them and end them.',
  'Device-bound sessions':
    'What a browser calls by itself to bind a session to a key of its device (docs/dbsc.md).',
  Account: 'The user who owns the access token.',
  Verification: 'Whether an access token is good now: for gateways and services.',
  OAuth:
    'Tokens for clients (RFC 6749), introspection (RFC 7662) for confidential ones, revocation ' +
    '(RFC 7009) for every client. ' +
    'Send a form.',
  Example: 'Two protected resources as worked examples: try your token on them.',
  Administration: 'Users, roles, invites, clients and keys, with the role `latchkey:admin`.',
  Operation: 'Probes, metrics and this document.',
};

/** What a body shows in a field of this name. A field without one is shown where it is required. */
const fieldExamples: Readonly<Record<string, unknown>> = {
  email: 'ada@example.com',
  new_email: 'ada.lovelace@example.com',
  password: 'a long and ordinary sentence',
  current_password: 'a long and ordinary sentence',
  new_password: 'another long and ordinary sentence',
  refresh_token: 'the refresh_token of the login',
  token: 'an access_token or refresh_token',
  name: 'Ada Lovelace',
  kind: 'confidential',
  audiences: ['https://api.example'],
  except_current: true,
  now: false,
  expires_in: 86_400,
};

/** The words of the OpenAPI document that no route's declaration holds. */
export const documentWords = { fieldDescriptions, fieldExamples, tagDescriptions };
