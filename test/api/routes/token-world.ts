import type { Answer, CallOptions, TestApi } from '../../support/api.ts';

export interface Client {
  readonly client_id: string;
  readonly client_secret: string;
}

/** The administrator of `api` registers a client. */
export async function registerClient(api: TestApi, fields: object = {}): Promise<Client> {
  const { access_token: token } = await api.admin();
  const body = { name: 'a service', ...fields };
  const { status, body: made } = await api.call('POST', '/admin/clients', { token, body });
  if (status !== 201) throw new Error(`client: ${status} ${JSON.stringify(made)}`);
  return made;
}

export const basicOf = ({ client_id, client_secret }: Client) =>
  [client_id, client_secret] as const;

/** The answer of the token endpoint to a client that authenticates by Basic. */
export function askToken(
  api: TestApi,
  client: Client,
  form: Readonly<Record<string, string>>,
  options: CallOptions = {},
): Promise<Answer> {
  return api.call('POST', '/oauth2/token', { basic: basicOf(client), form, ...options });
}

/** The same with `grant_type=client_credentials`. */
export function askForItself(
  api: TestApi,
  client: Client,
  form: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return askToken(api, client, { grant_type: 'client_credentials', ...form });
}

/** Sends a raw form, which may repeat parameters. */
export function sendForm({ url }: TestApi, client: Client, form: string): Promise<Response> {
  const authorization = `Basic ${Buffer.from(basicOf(client).join(':')).toString('base64')}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization };
  return fetch(`${url}/oauth2/token`, { method: 'POST', headers, body: form });
}

export function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
}
