const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function resolve(api, schema) {
  const name = schema?.$ref?.split('/').pop();
  return name ? { name, ...api.components.schemas[name] } : (schema ?? {});
}

function typeOf(api, schema) {
  const found = resolve(api, schema);
  if (found.name) return found.name;
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(' | ');
  if ('const' in found) return JSON.stringify(found.const);
  if (found.type === 'array') return `[${typeOf(api, found.items)}]`;
  const either = found.anyOf ?? found.oneOf;
  if (either) return either.map((one) => typeOf(api, one)).join(' | ');
  if (found.properties) return 'object';
  return [found.type ?? 'any'].flat().join(' | ');
}

function example(api, schema, depth = 0) {
  const found = resolve(api, schema);
  const either = found.anyOf ?? found.oneOf;
  if (either) return example(api, either[0], depth);
  if (found.enum) return found.enum[0];
  if ('const' in found) return found.const;
  if (found.type === 'array') return [];
  if (found.type === 'boolean') return false;
  if (found.type === 'integer' || found.type === 'number') return 0;
  if (!found.properties || depth > 2) return '';
  const required = (found.required ?? []).map((name) => [
    name,
    example(api, found.properties[name], depth + 1),
  ]);
  return Object.fromEntries(required);
}

function schemaTable(api, schema) {
  const found = resolve(api, schema);
  const either = found.anyOf ?? found.oneOf;
  if (either) return element('div', {}, ...either.map((one) => schemaTable(api, one)));
  if (!found.properties) return element('p', {}, element('code', {}, typeOf(api, schema)));
  const rows = Object.entries(found.properties).map(([name, property]) => {
    const required = (found.required ?? []).includes(name);
    const note = resolve(api, property).description ?? '';
    const type = element('td', {}, element('code', {}, typeOf(api, property)));
    return element(
      'tr',
      {},
      element('td', {}, element('code', {}, required ? name : `${name}?`)),
      type,
      element('td', { className: 'quiet' }, note),
    );
  });
  return element('table', {}, element('tbody', {}, ...rows));
}

function field(label, control) {
  return element('label', {}, label, control);
}

function headersFor(operation, mediaType) {
  const headers = {};
  const token = byId('token').value.trim();
  if (token) headers.authorization = `Bearer ${token}`;
  if (operation.requestBody) headers['content-type'] = mediaType;
  return headers;
}

async function send(method, path, operation, inputs, body, mediaType) {
  const query = new URLSearchParams();
  let target = path;
  for (const { name, where, input } of inputs) {
    if (where === 'path') target = target.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(name, input.value);
  }
  const url = query.size ? `${target}?${query}` : target;
  const response = await fetch(url, {
    method: method.toUpperCase(),
    headers: headersFor(operation, mediaType),
    ...(body?.value ? { body: body.value } : {}),
  });
  const text = await response.text();
  let shown = text;
  try {
    const parsed = JSON.parse(text);
    if (parsed.access_token) byId('token').value = parsed.access_token;
    shown = JSON.stringify(parsed, null, 2);
  } catch {
    // Not JSON: shown as it came.
  }
  return `${response.status} ${response.statusText}\n\n${shown}`;
}

function tryForm(api, method, path, operation) {
  const inputs = (operation.parameters ?? []).map(({ name, in: where }) => ({
    name,
    where,
    input: element('input', { autocomplete: 'off' }),
  }));
  const [mediaType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const json = mediaType === 'application/json';
  const sample = json ? JSON.stringify(example(api, content.schema), null, 2) : '';
  const body = content ? element('textarea', { spellcheck: false, value: sample }) : null;
  const answer = element('pre', { hidden: true });
  const button = element('button', { type: 'button' }, 'Send');
  button.addEventListener('click', async () => {
    answer.hidden = false;
    answer.textContent = '…';
    answer.textContent = await send(method, path, operation, inputs, body, mediaType).catch(String);
  });
  const fields = inputs.map(({ name, input }) => field(name, input));
  if (body) fields.push(field(`Body (${mediaType})`, body));
  return element('div', {}, element('h4', {}, 'Try it'), ...fields, button, answer);
}

function section(api, method, path, operation) {
  const content = Object.values(operation.requestBody?.content ?? {})[0];
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const schema = Object.values(response.content ?? {})[0]?.schema;
    return element(
      'tr',
      {},
      element('td', {}, status),
      element('td', {}, response.description),
      element('td', {}, element('code', {}, schema ? typeOf(api, schema) : '')),
    );
  });
  const credential = operation.security ? Object.keys(operation.security[0])[0] : 'none';
  const details = element(
    'details',
    { id: operation.operationId },
    element(
      'summary',
      {},
      element('span', { className: 'method' }, method.toUpperCase()),
      element('span', { className: 'path' }, path),
      ` ${operation.summary}`,
    ),
    element('p', {}, operation.description ?? ''),
    element('p', { className: 'quiet' }, `Credential: ${credential}`),
  );
  if (content) details.append(element('h4', {}, 'Body'), schemaTable(api, content.schema));
  details.append(
    element('h4', {}, 'Answers'),
    element('table', {}, element('tbody', {}, ...answers)),
  );
  details.addEventListener('toggle', () => details.append(tryForm(api, method, path, operation)), {
    once: true,
  });
  return details;
}

function reference(api) {
  const schemas = Object.entries(api.components.schemas).map(([name, schema]) =>
    element(
      'details',
      { id: `schema-${name}` },
      element('summary', {}, element('code', {}, name), ` ${schema.description ?? ''}`),
      schemaTable(api, schema),
    ),
  );
  const rows = api['x-error-codes']
    .filter(({ code, cause }) => code === cause)
    .map(({ code, status, title }) =>
      element(
        'tr',
        { id: `error-${code}` },
        element('td', {}, element('code', {}, code)),
        element('td', {}, String(status)),
        element('td', {}, title),
      ),
    );
  const errors = element('table', {}, element('tbody', {}, ...rows));
  return [
    element('h2', { id: 'schemas' }, 'Schemas'),
    ...schemas,
    element('h2', { id: 'errors' }, 'Error codes'),
    errors,
  ];
}

function groupByTag(api) {
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    if (path.startsWith('/api/auth/')) continue;
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0] ?? 'other';
      groups.set(tag, [...(groups.get(tag) ?? []), section(api, method, path, operation)]);
    }
  }
  return groups;
}

async function show() {
  const response = await fetch('/openapi.json');
  const api = await response.json();
  const { description, version } = api.info;
  const alias = 'Everything under /auth also answers under /api/auth.';
  byId('about').textContent = `${description} ${alias} Version ${version}.`;
  const groups = groupByTag(api);
  const main = byId('operations');
  main.replaceChildren();
  for (const [tag, sections] of groups) {
    main.append(element('h2', { id: `tag-${tag}` }, tag), ...sections);
  }
  main.append(...reference(api));
  const names = [...groups.keys()].map((tag) => [`#tag-${tag}`, tag]);
  const links = [...names, ['#schemas', 'Schemas'], ['#errors', 'Error codes']];
  byId('contents').append(
    element(
      'ul',
      {},
      ...links.map(([href, name]) => element('li', {}, element('a', { href }, name))),
    ),
  );
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

show().catch((error) => {
  byId('operations').textContent = `The API description could not be read: ${error}`;
});
