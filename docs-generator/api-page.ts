import { type ErrorCode, errorCodes } from '@latchkey/contract/error-code';
import type { RouteAuth } from '../src/api/http/auth.ts';
import { errorsOf, openApiDocument } from '../src/api/http/openapi.ts';
import { published } from '../src/api/http/problem.ts';
import type { Route } from '../src/api/http/route.ts';
import { documentWords } from '../src/api/routes/document-words.ts';
import { adminRole } from '../src/domain/user/roles.ts';
import { declaredRoutes } from './declared-routes.ts';
import { anchor, cell, code, table, toSection, wrapped } from './markdown.ts';
import {
  type Components,
  fieldsOf,
  inWords,
  type JsonSchema,
  meaningOf,
  namesOf,
  ownFieldsOf,
} from './schema-words.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema: JsonSchema };
}

/** An operation of the OpenAPI document, as far as the page shows it. */
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Components };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

/** One section of the page. */
interface Call {
  readonly route: Route;
  readonly name: string;
  readonly operation: Operation;
  /** The paths below answer the same. */
  readonly hasBelow: boolean;
}

/** `docs/api.md`, from the declared routes and the OpenAPI document that they make. */
export function apiPage(): string {
  const routes = declaredRoutes();
  const info = { issuer: '', version: '', ...documentWords };
  const document = openApiDocument(routes, info) as unknown as Document;
  const calls = callsOf(routes, document);
  const { schemas } = document.components;
  return `# Endpoints

\`npm run docs\` writes this page from the declared routes in \`src/api/routes/\`. A running
Latchkey serves the same at \`/docs\` and \`/openapi.json\`. [errors.md](errors.md) says what each
error code means, and [limits.md](limits.md) how much each budget holds.

- Everything under \`/auth\` also answers under \`/api/auth\`.
- You may leave out a field with \`?\`, and the whole body where it is \`body?\`. Bodies are JSON,
  below \`/oauth2\` a form. An unknown field of a JSON body is refused.
- Every endpoint can also answer \`unavailable\` and \`internal_error\`. A path that does not exist
  answers \`not_found\`, another method \`method_not_allowed\`.

${table(['Credential', 'What you send'], credentials)}

${document.tags.map(({ name }) => toSection(name)).join(', ')}, [Objects](#objects)

${overview(calls)}

${document.tags.map((tag) => groupSection(tag, calls, schemas)).join('\n\n')}

## Objects

An object may have more fields than these: a JWK the members of its key, a Problem the facts of its
code ([errors.md](errors.md)). A time is RFC 3339, in UTC. \`a.b\` is the field \`b\` of \`a\`.

${objectSections(schemas)}
`;
}

const credentials: readonly (readonly [name: string, meaning: string])[] = [
  [
    'access token',
    '`Authorization: Bearer` with the `access_token` of a login or refresh. Its client is ' +
      'first-party, and its audiences include the issuer',
  ],
  [
    'access token of any client',
    'The same, with the issuer or the default audience among its audiences',
  ],
  [
    'administrator',
    `An access token with the role \`${adminRole}\` and no audience but the issuer`,
  ],
  ['confidential client', 'Its `client_id` and `client_secret`, by HTTP Basic or in the form'],
  ['client', 'The same, or the `client_id` of a public client in the form'],
];

/** What any request may meet, so that no section repeats it. */
const everywhere: readonly ErrorCode[] = ['unavailable', 'internal_error'];

function callsOf(routes: readonly Route[], { paths }: Document): Call[] {
  const below = new Set(routes.map(({ path }) => path).filter((path) => path.endsWith('/{rest*}')));
  const calls = routes
    .filter(({ path }) => !below.has(path))
    .map((route): Call => {
      const { method, path } = route;
      const isAny = method === 'all';
      const operation = paths[path]![isAny ? 'get' : method]!;
      const name = `${isAny ? 'Any method' : method.toUpperCase()} ${path}`;
      return { route, name, operation, hasBelow: below.has(`${path}/{rest*}`) };
    });
  const names = calls.map(({ name }) => name);
  const twice = names.filter((name, at) => names.map(anchor).indexOf(anchor(name)) !== at);
  if (twice.length > 0) throw new Error(`${twice.join(', ')}: another section has that anchor`);
  return calls;
}

function overview(calls: readonly Call[]): string {
  const rows = calls.map((call) => [
    toSection(call.name, shownName(call)),
    call.route.summary,
    credentialOf(call.route),
    answersOf(call.route)
      .map(([status, { description }]) => `${status} ${lowerFirst(description)}`)
      .join('; '),
  ]);
  return table(['Call', 'Does', 'Credential', 'Answer'], rows);
}

function shownName({ route: { method, path }, name, hasBelow }: Call): string {
  const shown = method === 'all' ? `any method ${code(path)}` : code(name);
  return hasBelow ? `${shown} and below` : shown;
}

function credentialOf({ auth, credential, method, path }: Route): string {
  const words = credential ?? credentialWords(auth);
  if (words === null) throw new Error(`${method} ${path}: its \`credential\` is not declared`);
  return words;
}

function credentialWords(auth: RouteAuth): string | null {
  switch (auth.kind) {
    case 'none':
      return 'none';
    case 'optional':
      return null;
    case 'client':
      return 'client';
    case 'bearer': {
      if (auth.use === 'administration' && auth.role === adminRole) return 'administrator';
      const anyClient = auth.use === 'service' ? ' of any client' : '';
      const role = auth.role === null ? '' : ` with the role \`${auth.role}\``;
      const scope = auth.scope === null ? '' : ` with the scope \`${auth.scope}\``;
      const thirdParty =
        auth.use === 'profile' ? ', or one of any client with the scope `profile`' : '';
      return `access token${anyClient}${role}${scope}${thirdParty}`;
    }
  }
}

/** What a client acts on: an unchanged document says nothing new. */
function answersOf({ responses }: Route): [string, Route['responses'][number]][] {
  return Object.entries(responses).filter(([status]) => status !== '304');
}

function groupSection(
  { name, description }: Document['tags'][number],
  calls: readonly Call[],
  components: Components,
): string {
  const own = calls.filter(({ route }) => route.tags[0] === name);
  return [`## ${name}`, description, ...own.map((call) => callSection(call, components))].join(
    '\n\n',
  );
}

function callSection(call: Call, components: Components): string {
  const { route, name, hasBelow } = call;
  const below = hasBelow ? 'The paths below it answer the same.' : '';
  const text = [`${route.summary}.`, route.description ?? '', below];
  const rows = takenBy(call, components);
  return [
    `### ${name}`,
    wrapped(text.filter((part) => part !== '').join(' ')),
    ...(rows.length === 0 ? [] : [table(['In', 'Name', 'Takes', 'Meaning'], rows)]),
    factsOf(call).join('\n'),
  ].join('\n\n');
}

function takenBy({ operation, name }: Call, components: Components): string[][] {
  const parameters = (operation.parameters ?? []).map((parameter) => ({
    place: parameter.in,
    name: `${parameter.name}${parameter.required ? '' : '?'}`,
    schema: { ...parameter.schema, description: parameter.description },
  }));
  const [body] = Object.values(operation.requestBody?.content ?? {});
  const place = operation.requestBody?.required === false ? 'body?' : 'body';
  const fields = body === undefined ? [] : fieldsOf(body.schema, components);
  return [...parameters, ...fields.map((field) => ({ place, ...field }))].map((taken) => {
    const { description } = taken.schema;
    if (description === undefined) throw new Error(`${name}: nothing describes ${taken.name}`);
    return [taken.place, code(taken.name), inWords(taken.schema), cell(description)];
  });
}

function factsOf({ route, operation }: Call): string[] {
  const { limit, spends = [], floor = false } = route;
  const kept = floor === 'always' ? 'answer' : 'refusal';
  const answers = answersOf(route).map(([status, { description, headers }]) => {
    const [content] = Object.values(operation.responses[status]?.content ?? {});
    const names = content === undefined ? '' : namesOf(content.schema);
    const carried = [...Object.keys(headers ?? {}).map(code), ...(names === '' ? [] : [names])];
    const answer = `${status} ${lowerFirst(description)}`;
    return carried.length === 0 ? answer : `${answer}: ${carried.join(', ')}`;
  });
  const codes = new Set(errorsOf(route).map((error) => published(error).code));
  const errors = errorCodes.filter((error) => codes.has(error) && !everywhere.includes(error));
  const budgets = [
    ...(limit === undefined ? [] : [`${code(limit.budget)} before the work`]),
    ...(spends.length === 0 ? [] : [`${spends.map(code).join(', ')} by the work itself`]),
  ];
  return [
    `- Credential: ${credentialOf(route)}.`,
    `- Answers: ${answers.join('; ')}.`,
    ...(errors.length === 0 ? [] : [`- Errors: ${errors.map(code).join(', ')}.`]),
    ...(budgets.length === 0 ? [] : [`- Budgets: ${budgets.join('; ')}.`]),
    ...(floor === false ? [] : [`- Each ${kept} leaves at a multiple of \`LOGIN_FLOOR_MS\`.`]),
  ].map((line) => wrapped(line, '  '));
}

function objectSections(schemas: Components): string {
  const sections = Object.entries(schemas).map(([name, schema]) => {
    const rows = ownFieldsOf(schema).map((field) => {
      const meaning = meaningOf(field.schema, schemas);
      if (meaning === undefined) throw new Error(`${name}: nothing describes ${field.name}`);
      return [code(field.name), inWords(field.schema), cell(meaning)];
    });
    if (schema.description === undefined) throw new Error(`nothing describes ${name}`);
    const head = ['Field', 'Type', 'Meaning'];
    return `### ${name}\n\n${schema.description}.\n\n${table(head, rows)}`;
  });
  return sections.join('\n\n');
}

/** The sentence goes on: `The user` is answered as `200 the user`. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z]*\b/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}
