import { check } from 'k6';
import { optionsFor, post, prepareAccounts, readAccounts } from './accounts.js';

const prepared = readAccounts();
const vus = 8;

export const options = optionsFor(vus, {
  'http_req_duration{name:/auth/refresh}': ['p(99)<50'],
  'http_req_failed{name:/auth/refresh}': ['rate==0'],
});

export const setup = () => prepareAccounts(prepared, vus);

let refreshToken;

/** One session for each client, rotated as often as the answers come. */
export default function (accounts) {
  refreshToken ??= accounts[(__VU - 1) % accounts.length].refreshToken;
  const response = post('/auth/refresh', { refresh_token: refreshToken });
  const successor = response.status === 200 ? response.json('refresh_token') : undefined;
  check(successor, { 'is rotated': (token) => token !== undefined && token !== refreshToken });
  refreshToken = successor;
}
