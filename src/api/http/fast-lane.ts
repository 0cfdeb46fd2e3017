import type { RequestListener } from 'node:http';
import { LogSampler } from '../../platform/logging/log-sampler.ts';
import type { FastAnswer, FastAnswerFactory, FastLane } from './fast-answer.ts';
import { mountedPaths, type Route } from './route.ts';

/** What a declared path is in a request line. */
interface FastPath {
  readonly path: string;
  /** The path itself is declared. */
  at: boolean;
  /** So is every path below it. */
  below: boolean;
  /** null: any. */
  readonly methods: readonly string[] | null;
  readonly answer: FastAnswer;
}

const anythingBelow = /\/\{\w+\*\}$/;

/**
 * Puts the fast answers of `routes` before `app`. Only a target in origin form that is spelt as
 * declared is met here; everything else goes to `app`.
 */
export function behindFastLane(
  app: RequestListener,
  routes: readonly Route[],
  shared: Pick<FastLane, 'log' | 'inFlight' | 'metrics'>,
): RequestListener {
  const paths = fastPaths(routes, { ...shared, refusals: new LogSampler() });
  return (request, response) => {
    const url = request.url ?? '';
    for (const fast of paths) {
      if (isOf(fast, url, request.method) && fast.answer(request, response)) return;
    }
    app(request, response);
  };
}

function isOf({ path, at, below, methods }: FastPath, url: string, method = ''): boolean {
  if (!url.startsWith(path)) return false;
  const next = url[path.length];
  const fits = next === undefined || next === '?' ? at : below && next === '/';
  return fits && (methods === null || methods.includes(method));
}

function fastPaths(routes: readonly Route[], lane: Omit<FastLane, 'failsAs'>): FastPath[] {
  const answers = new Map<FastAnswerFactory, FastAnswer>();
  const paths: FastPath[] = [];
  for (const { path: declared, method, failsAs, fast } of routes) {
    if (fast === undefined) continue;
    const answer = answers.get(fast) ?? fast({ ...lane, failsAs });
    answers.set(fast, answer);
    const below = anythingBelow.test(declared);
    for (const mounted of mountedPaths(declared)) {
      const path = mounted.replace(anythingBelow, '');
      const methods = methodsOf(method);
      const known = paths.find(
        (other) =>
          other.path === path &&
          other.answer === answer &&
          other.methods?.join() === methods?.join(),
      );
      if (known === undefined) {
        paths.push({ path, at: !below, below, methods, answer });
      } else if (below) known.below = true;
      else known.at = true;
    }
  }
  return paths;
}

function methodsOf(method: Route['method']): string[] | null {
  if (method === 'all') return null;
  return method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()];
}
