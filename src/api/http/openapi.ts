import { type ErrorCode, errorCodes } from '@latchkey/contract/error-code';
import { z } from 'zod';
import { budgets } from '../../domain/kernel/budgets.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { none } from './auth.ts';
import { bodyExample } from './body-example.ts';
import { oauthErrorSchema, problemSchema } from './error-schemas.ts';
import { type FailureStyle, published } from './problem.ts';
import { type Accepts, budgetsOf, mountedPaths, type Route, route } from './route.ts';
import { securitySchemes } from './security-schemes.ts';
import { documentReply, type StaticDocument, staticDocument } from './static-document.ts';

type JsonObject = { [member: string]: unknown };

export interface OpenApiInfo {
  readonly issuer: string;
  readonly version: string;
  /** What a field or parameter of this name means where its own schema does not say so. */
  readonly fieldDescriptions: Readonly<Record<string, string>>;
  /** What the example of a body shows in a field of this name. */
  readonly fieldExamples?: Readonly<Record<string, unknown>>;
  readonly tagDescriptions?: Readonly<Record<string, string>>;
}

/** What one document is made of, as far as its operations share it. */
interface Shared {
  readonly components: JsonObject;
  readonly fieldDescriptions: OpenApiInfo['fieldDescriptions'];
  readonly fieldExamples: Readonly<Record<string, unknown>>;
}

/**
 * The OpenAPI 3.1 document of `routes`. Its schemas are JSON Schema 2020-12, which is what zod
 * itself emits: no second description of a schema exists that could differ from the one that checks
 * requests.
 */
export function openApiDocument(routes: readonly Route[], info: OpenApiInfo): JsonObject {
  const components: JsonObject = {};
  const { fieldDescriptions, fieldExamples = {}, tagDescriptions = {} } = info;
  const shared: Shared = { components, fieldDescriptions, fieldExamples };
  const paths: { [path: string]: JsonObject } = {};
  for (const declared of routes) {
    for (const [index, path] of mountedPaths(declared.path).entries()) {
      const documented = path.replace('*}', '}');
      const method = declared.method === 'all' ? 'get' : declared.method;
      const entry = operation(declared, documented, method, index > 0, shared);
      paths[documented] = { ...paths[documented], [method]: entry };
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Latchkey',
      version: info.version,
      description: 'A self-hosted session authority. Errors carry a stable `code`.',
    },
    servers: [{ url: info.issuer }],
    tags: tagsOf(routes, tagDescriptions),
    paths,
    components: { schemas: components, securitySchemes },
    'x-error-codes': errorCodes.map((code) => ({ ...published(code), cause: code })),
  };
}

function tagsOf(
  routes: readonly Route[],
  descriptions: Readonly<Record<string, string>>,
): JsonObject[] {
  const names = new Set(routes.flatMap(({ tags }) => tags));
  return [...names].map((name) => ({ name, description: descriptions[name] }));
}

/** `GET /openapi.json`, describing `routes` and itself. */
export function openApiRoute(routes: () => readonly Route[], info: OpenApiInfo): Route {
  let document: StaticDocument | null = null;
  return route({
    method: 'get',
    path: '/openapi.json',
    summary: 'This API as OpenAPI 3.1',
    tags: ['Operation'],
    auth: none,
    cors: 'public',
    responses: {
      200: { description: 'The document', schema: z.looseObject({}) },
      304: { description: 'Not changed since the ETag of If-None-Match' },
    },
    handler: ({ headers }) => {
      document ??= staticDocument(JSON.stringify(openApiDocument(routes(), info)), {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'public, max-age=60',
      });
      return documentReply(document, headers);
    },
  });
}

/** Every code that a route can answer: those it names, and those that follow from the rest. */
export function errorsOf(declared: Route): ErrorCode[] {
  const { auth } = declared;
  const codes = new Set<ErrorCode>(declared.errors ?? []);
  if (budgetsOf(declared).some((budget) => budgets[budget].length > 0)) codes.add('rate_limited');
  if (auth.kind === 'bearer') {
    codes.add('invalid_token').add('token_stale');
    if (auth.recent || auth.use === 'administration') {
      codes.add('insufficient_user_authentication');
    }
    const demandsMore = auth.role !== null || auth.scope !== null;
    if (auth.use !== 'service' || demandsMore) codes.add('insufficient_scope');
  }
  if (auth.kind === 'client') codes.add('invalid_client');
  if (declared.query !== undefined || declared.path.includes('{') || declared.idempotent) {
    codes.add('invalid_request');
  }
  if (declared.params !== undefined) codes.add('not_found');
  if (declared.body !== undefined) {
    codes.add('invalid_request').add('payload_too_large').add('unsupported_media_type');
  }
  return [...codes.add('unavailable').add('internal_error')];
}

function operation(
  declared: Route,
  path: string,
  method: string,
  alias: boolean,
  shared: Shared,
): JsonObject {
  const { summary, description, tags, auth, body } = declared;
  const parameters = [
    ...pathParameters(path, shared),
    ...queryParameters(declared.query, shared),
    ...(declared.idempotent ? [idempotencyKeyParameter] : []),
  ];
  return {
    operationId: `${method}${path.replace(/[^A-Za-z0-9]+(\w?)/g, (_, next) => next.toUpperCase())}`,
    summary: alias ? `${summary} (same as ${path.slice('/api'.length)})` : summary,
    ...(description === undefined ? {} : { description }),
    tags,
    ...(auth.kind === 'none' ? {} : { security: security(declared) }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !declared.bodyOptional,
            content: { [bodyTypes[declared.accepts]]: bodyContent(body, shared) },
          },
        }),
    responses: {
      ...errorResponses(declared, shared),
      ...goodResponses(declared, shared),
    },
  };
}

function bodyContent(body: z.ZodType, shared: Shared): JsonObject {
  const schema = jsonSchema(body, shared);
  return { schema, example: bodyExample(schema, shared.fieldExamples) };
}

/** An empty entry says that the endpoint also answers without (OpenAPI 3.1 section 4.8.30). */
function security({ auth, refreshCookie = false }: Route): JsonObject[] {
  const credentials = [
    { [auth.kind === 'client' ? 'client' : 'bearer']: [] },
    ...(refreshCookie ? [{ refresh_cookie: [] }] : []),
  ];
  return auth.kind === 'optional' ? [...credentials, {}] : credentials;
}

const idempotencyKeyParameter: JsonObject = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'A random UUID. A repeat under the same key changes nothing and answers the same, but shows no ' +
    'client secret and no invite again. A repeated refresh answers the same refresh token and a ' +
    'fresh access token. Latchkey remembers only a request that changed something',
  schema: { type: 'string', minLength: 1, maxLength: limits.idempotencyKeyCharactersMax },
};

function headersOf(headers: Readonly<Record<string, string>>): JsonObject {
  const entries = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return Object.fromEntries(entries);
}

function goodResponses(declared: Route, shared: Shared): JsonObject {
  const responses: JsonObject = {};
  for (const [status, answer] of Object.entries(declared.responses)) {
    const { description, schema, contentType, headers } = answer;
    const content =
      schema === undefined && contentType === undefined
        ? {}
        : {
            content: {
              [contentType ?? 'application/json']: {
                schema:
                  schema === undefined ? { type: 'string' } : jsonSchema(schema, shared, true),
              },
            },
          };
    responses[status] = {
      description,
      ...(headers === undefined ? {} : { headers: headersOf(headers) }),
      ...content,
    };
  }
  return responses;
}

const bodyTypes: Readonly<Record<Accepts, string>> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  nothing: '',
};

const errorTypes: Readonly<Record<FailureStyle, readonly [mediaType: string, schema: z.ZodType]>> =
  {
    problem: ['application/problem+json', problemSchema],
    oauth: ['application/json', oauthErrorSchema],
    page: ['text/html', z.string()],
  };

function errorResponses(declared: Route, shared: Shared): JsonObject {
  const codesByStatus = Map.groupBy(errorsOf(declared), (code) => published(code).status);
  const responses: JsonObject = {};
  const [mediaType, errorSchema] = errorTypes[declared.failsAs];
  const schema = jsonSchema(errorSchema, shared, true);
  for (const [status, codes] of codesByStatus) {
    const names = [...new Set(codes.map((code) => published(code).code))];
    responses[String(status)] = {
      description: names.map((name) => `\`${name}\``).join(', '),
      content: { [mediaType]: { schema } },
    };
  }
  return responses;
}

function pathParameters(path: string, { fieldDescriptions }: Shared): JsonObject[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    description: fieldDescriptions[name!],
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodType | undefined, shared: Shared): JsonObject[] {
  if (query === undefined) return [];
  const schema = jsonSchema(query, shared) as {
    properties?: { [name: string]: unknown };
    required?: readonly string[];
  };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: schema.required?.includes(name) ?? false,
    description: shared.fieldDescriptions[name],
    schema: property,
  }));
}

/**
 * A schema as JSON Schema; the ones with an id move to `components` and are referred to. An answer
 * may gain fields, so it is `open` here although the tests check it strictly.
 */
function jsonSchema(
  schema: z.ZodType,
  { components, fieldDescriptions }: Shared,
  open = false,
): JsonObject {
  const wrapped = z.toJSONSchema(z.object({ schema }), {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema: written }) => {
      if (open) delete written.additionalProperties;
      for (const [name, field] of Object.entries(written.properties ?? {})) {
        if (typeof field !== 'object' || field.$ref !== undefined) continue;
        const description = field.description ?? fieldDescriptions[name];
        // Fields that share a schema share this object, and not what it says of the first of them.
        if (description !== undefined) written.properties![name] = { ...field, description };
      }
    },
  });
  const { properties, $defs } = JSON.parse(
    JSON.stringify(wrapped).replaceAll('"#/$defs/', '"#/components/schemas/'),
  ) as { properties: { schema: JsonObject }; $defs?: JsonObject };
  for (const [name, definition] of Object.entries($defs ?? {})) {
    components[name] = withoutId(definition as JsonObject);
  }
  return properties.schema;
}

function withoutId({ id: _id, ...definition }: JsonObject): JsonObject {
  return definition;
}
