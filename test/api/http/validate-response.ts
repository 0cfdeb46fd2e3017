import type { z } from 'zod';
import { oauthErrorSchema, problemSchema } from '../../../src/api/http/error-schemas.ts';
import { errorsOf } from '../../../src/api/http/openapi.ts';
import { published } from '../../../src/api/http/problem.ts';
import { mountedPaths, type Route } from '../../../src/api/http/route.ts';

/**
 * Checks answers against the declarations: the route exists, declares this status, and the body
 * fits its schema. Throws an Error that says what does not.
 */
export function responseValidator(routes: readonly Route[]) {
  return function validateResponse(
    method: string,
    path: string,
    status: number,
    body?: unknown,
  ): void {
    const where = `${method} ${path} ${status}`;
    const found = routes.find((route) => answers(route, method, path));
    if (found === undefined) throw new Error(`${where}: no such route is declared`);
    const declared = found.responses[status];
    if (declared !== undefined) {
      if (declared.schema === undefined) {
        if (declared.contentType === undefined && body !== undefined && body !== '') {
          throw new Error(`${where}: a body where none is declared`);
        }
        return;
      }
      fits(declared.schema, body, where);
      return;
    }
    if (!errorsOf(found).some((code) => published(code).status === status)) {
      throw new Error(`${where}: this status is not declared`);
    }
    fits(found.failsAs === 'oauth' ? oauthErrorSchema : problemSchema, body, where);
  };
}

function fits(schema: z.ZodType, body: unknown, where: string): void {
  const result = schema.safeParse(body);
  if (!result.success) throw new Error(`${where}: ${JSON.stringify(result.error.issues)}`);
}

function answers(route: Route, method: string, path: string): boolean {
  if (route.method !== 'all' && route.method !== method.toLowerCase()) return false;
  const actual = path.split('?', 1)[0]!;
  return mountedPaths(route.path).some((template) => pattern(template).test(actual));
}

function pattern(template: string): RegExp {
  const source = template
    .replace(/[.-]/g, '\\$&')
    .replace(/\{\w+\*\}/g, '.+')
    .replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${source}$`);
}
