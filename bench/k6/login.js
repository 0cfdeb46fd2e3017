import { check } from 'k6';
import { optionsFor, post, prepareAccounts, readAccounts } from './accounts.js';

const prepared = readAccounts();
const vus = 4;

export const options = optionsFor(vus, {
  'http_req_duration{name:/auth/login}': ['p(99)<600'],
  'http_req_failed{name:/auth/login}': ['rate==0'],
});

export const setup = () => prepareAccounts(prepared, vus);

/** Each login hashes at the service's cost and supersedes the client's session before it. */
export default function (accounts) {
  const { email, password } = accounts[(__VU - 1) % accounts.length];
  const response = post('/auth/login', { email, password });
  check(response, { 'is logged in': ({ status }) => status === 200 });
}
