import { check } from 'k6';
import http from 'k6/http';
import { baseUrl, optionsFor, prepareAccounts, readAccounts } from './accounts.js';

const prepared = readAccounts();
const vus = 16;

export const options = optionsFor(vus, {
  'http_req_duration{name:/auth/verify}': ['p(99)<25'],
  'http_req_failed{name:/auth/verify}': ['rate<0.0001'],
});

export const setup = () => prepareAccounts(prepared, vus);

/** What a gateway asks for each request that it lets through. */
export default function (accounts) {
  const { accessToken } = accounts[(__VU - 1) % accounts.length];
  const response = http.get(`${baseUrl}/auth/verify`, {
    headers: { authorization: `Bearer ${accessToken}` },
    tags: { name: '/auth/verify' },
  });
  check(response, { 'is accepted': ({ status }) => status === 204 });
}
