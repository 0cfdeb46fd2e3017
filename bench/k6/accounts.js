import { fail } from 'k6';
import http from 'k6/http';

export const baseUrl = __ENV.BASE_URL || 'http://127.0.0.1:3333';
export const seconds = Number(__ENV.SECONDS || 15);

const password = 'violet kettle drums past midnight';

/** POST of JSON as the clients send it; `name` groups the requests in the summary. */
export function post(path, body, headers = {}) {
  return http.post(`${baseUrl}${path}`, JSON.stringify(body), {
    headers: { 'content-type': 'application/json', ...headers },
    tags: { name: path },
  });
}

/**
 * Accounts with a session each: those of the file that ACCOUNTS names, else newly registered ones
 * (`dev` allows 20 registrations a minute unless RATE_LIMITS=off).
 */
export function prepareAccounts(prepared, count) {
  if (prepared !== null) return prepared;
  return Array.from({ length: count }, (_, index) => {
    const credentials = { email: `k6-${Date.now()}-${index}@example.com`, password };
    answered(post('/auth/register', credentials), 201);
    const tokenSet = answered(post('/auth/login', credentials), 200);
    const { access_token: accessToken, refresh_token: refreshToken } = tokenSet;
    return { ...credentials, accessToken, refreshToken };
  });
}

export function readAccounts() {
  return __ENV.ACCOUNTS ? JSON.parse(open(__ENV.ACCOUNTS)) : null;
}

/** The options of a script: `vus` clients that each wait for their answer, and what must hold. */
export function optionsFor(vus, thresholds) {
  return {
    vus,
    duration: `${seconds}s`,
    thresholds: { checks: ['rate==1'], ...thresholds },
    summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'max'],
  };
}

function answered(response, status) {
  if (response.status !== status) fail(`${response.request.url}: ${response.status} ${response.body}`);
  return response.json();
}
