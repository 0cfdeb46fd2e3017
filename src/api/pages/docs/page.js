/**
 * @typedef {Record<string, string>} Texts
 * @typedef {{ method: string, url: string, headers: Texts, body: string | undefined }} Sent
 * @typedef {{ type?: string, description?: string, example?: unknown }} Field
 * @typedef {{ example: Texts, schema: { properties?: Record<string, Field> } }} Body
 * @typedef {{
 *   description?: string,
 *   parameters?: { name: string, in: string }[],
 *   requestBody?: { content: Record<string, Body> },
 *   security?: Record<string, string[]>[],
 * }} Operation
 * @typedef {Record<string, Record<string, Operation>>} Paths
 * @typedef {{ info: { description: string }, paths: Paths }} Api
 *
 * What Swagger UI keeps are maps of Immutable.js, as far as this page reads them.
 * @typedef {{ toJS?: () => Texts }} Held
 * @typedef {{ method: string, url: string, headers?: Held, body?: string | Held }} HeldRequest
 * @typedef {{ get(key: string): unknown, getIn(keys: string[]): unknown }} ShownOperation
 * @typedef {{ size: number, filter(is: (each: ShownOperation) => boolean): Shown }} Shown
 * @typedef {{
 *   get(key: 'operations'): Shown,
 *   update(key: 'operations', change: (operations: Shown) => Shown): Group,
 * }} Group
 * @typedef {{
 *   map(change: (group: Group, name: string) => Group): Groups,
 *   filter(is: (group: Group) => boolean): Groups,
 * }} Groups
 * @typedef {{ url: string, body?: { access_token?: string } }} Received
 * @typedef {{ preauthorizeApiKey(scheme: string, token: string): void }} SwaggerUi
 */

/** The library's script stands before this one in the page. */
const swaggerUi = /** @type {{ SwaggerUIBundle: (options: object) => SwaggerUi }} */ (
  /** @type {unknown} */ (window)
).SwaggerUIBundle;

/** The credential of these answers is what the next request shows. */
const tokenAnswers = /\/auth\/(?:login|refresh)$/;

/** @type {(text: string) => string} */
const quoted = (text) => JSON.stringify(text);
/** @type {(text: string) => string} */
const inShell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
/** @type {(text: string) => string} */
const inPython = (text) => (text.includes("'") ? quoted(text) : `'${text}'`);
/** @type {(headers: Texts, quote: (text: string) => string) => string[]} */
const entries = (headers, quote) =>
  Object.entries(headers).map(([name, value]) => `${quote(name)}: ${quote(value)}`);

/** @param {Sent} request */
function curl({ method, url, headers, body }) {
  const lines = [`curl -X ${method} ${inShell(url)}`];
  for (const [name, value] of Object.entries(headers))
    lines.push(`-H ${inShell(`${name}: ${value}`)}`);
  if (body) lines.push(`-d ${inShell(body)}`);
  return lines.join(' \\\n  ');
}

/** @param {Sent} request */
function javascript({ method, url, headers, body }) {
  const options = [`method: ${quoted(method)}`];
  if (Object.keys(headers).length > 0) {
    options.push(`headers: { ${entries(headers, quoted).join(', ')} }`);
  }
  if (body) options.push(`body: ${quoted(body)}`);
  return [
    `const response = await fetch(${quoted(url)}, {`,
    ...options.map((option) => `  ${option},`),
    '});',
    'console.log(response.status, await response.text());',
  ].join('\n');
}

/** @param {Sent} request */
function python({ method, url, headers, body }) {
  const given = [inPython(method), inPython(url)];
  if (Object.keys(headers).length > 0) {
    given.push(`headers={${entries(headers, inPython).join(', ')}}`);
  }
  if (body) given.push(`data=${inPython(body)}`);
  return [
    'import requests',
    '',
    'response = requests.request(',
    ...given.map((argument) => `    ${argument},`),
    ')',
    'print(response.status_code, response.text)',
  ].join('\n');
}

const languages = [
  { key: 'curl_bash', title: 'curl', syntax: 'bash', write: curl },
  { key: 'javascript', title: 'JavaScript', syntax: 'javascript', write: javascript },
  { key: 'python', title: 'Python', syntax: 'python', write: python },
];

/**
 * A body as it is sent: Swagger UI holds a form as a Map or an object.
 *
 * @param {string | Held | Texts | null | undefined} body
 */
function bodyText(body) {
  if (body === undefined || body === null) return undefined;
  return typeof body === 'string' ? body : new URLSearchParams(plainOf(body)).toString();
}

/**
 * @param {Held | Texts} held
 * @returns {Texts}
 */
function plainOf(held) {
  return typeof held.toJS === 'function' ? held.toJS() : /** @type {Texts} */ (held);
}

/**
 * @param {{ toObject(): HeldRequest }} request
 * @returns {Sent}
 */
function sentRequest(request) {
  const { method, url, headers = {}, body } = request.toObject();
  return { method, url, headers: plainOf(headers), body: bodyText(body) };
}

/**
 * The request that an operation's samples show, before you have filled in anything.
 *
 * @param {string} path
 * @param {string} method
 * @param {Operation} operation
 * @returns {Sent}
 */
function exampleRequest(path, method, { parameters = [], requestBody, security }) {
  /** @type {Texts} */
  const headers = {};
  const credential = Object.keys(security?.[0] ?? {})[0];
  if (credential === 'bearer') headers.Authorization = 'Bearer ACCESS_TOKEN';
  if (credential === 'client') headers.Authorization = 'Basic BASE64_OF_ID_AND_SECRET';
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (type) headers['Content-Type'] = type;
  for (const { name, in: place } of parameters) {
    if (place === 'header') headers[name] = 'A_RANDOM_UUID';
  }
  const isForm = type === 'application/x-www-form-urlencoded';
  const body = isForm ? bodyText(content?.example) : content && JSON.stringify(content.example);
  return { method: method.toUpperCase(), url: location.origin + path, headers, body };
}

/** @param {Sent} request */
function samples(request) {
  return languages
    .map(
      ({ title, syntax, write }) =>
        `<details><summary>${title}</summary>\n\n\`\`\`${syntax}\n${write(request)}\n\`\`\`\n\n</details>`,
    )
    .join('\n\n');
}

/**
 * Else each field of a form would begin with the word `string`, and send it.
 *
 * @param {Operation} operation
 */
function fillForm({ requestBody }) {
  const form = requestBody?.content['application/x-www-form-urlencoded'];
  if (form === undefined) return;
  for (const [name, field] of Object.entries(form.schema.properties ?? {})) {
    field.example = form.example[name] ?? '';
  }
}

/**
 * The second names below `/api/auth` would double every list.
 *
 * @param {Api} api
 */
function prepared(api) {
  const paths = Object.entries(api.paths).filter(([path]) => !path.startsWith('/api/auth/'));
  for (const [path, methods] of paths) {
    for (const [method, operation] of Object.entries(methods)) {
      fillForm(operation);
      const request = exampleRequest(path, method, operation);
      operation.description = [operation.description, samples(request)]
        .filter(Boolean)
        .join('\n\n');
    }
  }
  const alias = 'Everything under `/auth` also answers under `/api/auth`.';
  const login = 'Send `POST /auth/login`: the next requests carry its access token.';
  return {
    ...api,
    info: { ...api.info, description: `${api.info.description}\n\n${login} ${alias}` },
    // The policy lets the page call its own origin only, which need not be the issuer's.
    servers: [{ url: location.origin }],
    paths: Object.fromEntries(paths),
  };
}

/**
 * An operation is found by its path, its group, its summary or its id.
 *
 * @param {Groups} groups
 * @param {string} phrase
 */
function findOperations(groups, phrase) {
  const wanted = phrase.toLowerCase();
  /** @type {(operation: ShownOperation) => boolean} */
  const isFound = (operation) =>
    [
      operation.get('path'),
      ...['summary', 'operationId'].map((key) => operation.getIn(['operation', key])),
    ]
      .join('\n')
      .toLowerCase()
      .includes(wanted);
  return groups
    .map((group, name) =>
      name.toLowerCase().includes(wanted)
        ? group
        : group.update('operations', (operations) => operations.filter(isFound)),
    )
    .filter((group) => group.get('operations').size > 0);
}

const plugin = {
  fn: {
    opsFilter: findOperations,
    ...Object.fromEntries(
      languages.map(({ key, write }) => [
        `requestSnippetGenerator_${key}`,
        (/** @type {Parameters<typeof sentRequest>[0]} */ request) => write(sentRequest(request)),
      ]),
    ),
  },
};

async function show() {
  const api = await (await fetch('/openapi.json')).json();
  const ui = swaggerUi({
    dom_id: '#reference',
    spec: prepared(api),
    plugins: [plugin],
    // The address of an error code is no operation's: Swagger UI would complain of it.
    deepLinking: !location.hash.startsWith('#error'),
    filter: true,
    tryItOutEnabled: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    requestSnippetsEnabled: true,
    requestSnippets: {
      generators: Object.fromEntries(
        languages.map(({ key, title, syntax }) => [key, { title, syntax }]),
      ),
    },
    responseInterceptor: (/** @type {Received} */ response) => {
      const { pathname } = new URL(response.url);
      const token = response.body?.access_token;
      if (tokenAnswers.test(pathname) && token) ui.preauthorizeApiKey('bearer', token);
      return response;
    },
  });
}

show().catch((error) => {
  document
    .getElementById('reference')
    ?.replaceChildren(`The API description could not be read: ${error}`);
});
