import { readFileSync } from 'node:fs';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { nearMisses } from './near-misses.ts';
import type { Setting } from './setting.ts';
import type { ConfigPurpose, Read, Topic, ValuesOf } from './topic.ts';

export type Topics = Readonly<Record<string, Topic<unknown>>>;

/** The values of each topic, by its name, and what the log is to be told at the start. */
export type ConfigOf<T extends Topics> = { readonly [Name in keyof T]: ValuesOf<T[Name]> } & {
  readonly warnings: readonly string[];
};

export interface ReadOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly purpose: ConfigPurpose;
}

/**
 * Reads `topics` from environment variables; empty is absent. Secrets may stand in files (`KEK_FILE`
 * for `KEK`). Throws ConfigError with every problem, never with a secret in it.
 */
export function readTopics<T extends Topics>(topics: T, options: ReadOptions): ConfigOf<T> {
  const { env, purpose } = options;
  const problems: ConfigProblem[] = [];
  const warnings = nearMisses(env, knownNames(topics));
  const given = new Map(
    Object.values(topics).map((topic) => [topic, readFields(topic, env, problems)]),
  );
  problems.push(...uselessFiles(topics, env));
  const malformed = new Set(problems.map(({ variable }) => variable));
  const filled = new Map<unknown, unknown>();
  const read: Read = <V>(topic: Topic<V>): V => {
    if (!filled.has(topic))
      filled.set(topic, topic.fill(given.get(topic as Topic<unknown>)!, read));
    return filled.get(topic) as V;
  };
  for (const topic of Object.values(topics)) {
    const variableOf = (field: string) => topic.fields[field]!.variable;
    topic.check(read(topic), {
      read,
      purpose,
      refuseIf: (wrong, field, message) => {
        const variable = variableOf(field);
        if (wrong && !malformed.has(variable)) problems.push({ variable, message });
      },
      warnIf: (odd, field, message) => {
        if (odd) warnings.push(`${variableOf(field)} ${message}`);
      },
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const values = Object.entries(topics).map(([name, topic]) => [name, read(topic)]);
  return { ...Object.fromEntries(values), warnings } as ConfigOf<T>;
}

/** Every setting of `topics`, in their order. */
export function settingsOf(topics: Topics): Setting<unknown>[] {
  return Object.values(topics).flatMap(({ fields }) => Object.values(fields));
}

/** The variables of an environment: absent and empty are the same. */
export function nonEmpty(given: string | undefined): string | undefined {
  return given === undefined || given === '' ? undefined : given;
}

function readFields(topic: Topic<unknown>, env: NodeJS.ProcessEnv, problems: ConfigProblem[]) {
  const values: Record<string, unknown> = {};
  for (const [field, setting] of Object.entries(topic.fields)) {
    values[field] = setting.fallback;
    const given = readVariable(env, setting, problems);
    if (given === undefined) continue;
    const parsed = setting.kind.safeParse(given);
    if (parsed.success) values[field] = parsed.data;
    else {
      for (const { message } of parsed.error.issues) {
        problems.push({ variable: setting.variable, message });
      }
    }
  }
  return values;
}

function readVariable(
  env: NodeJS.ProcessEnv,
  { variable, secret }: Setting<unknown>,
  problems: ConfigProblem[],
): string | undefined {
  const value = nonEmpty(env[variable]);
  const file = secret ? nonEmpty(env[`${variable}_FILE`]) : undefined;
  if (file === undefined) return value;
  if (value !== undefined) {
    problems.push({ variable, message: `and ${variable}_FILE are both set: keep one` });
    return undefined;
  }
  try {
    const given = nonEmpty(readFileSync(file, 'utf8').replace(/\r?\n$/, ''));
    // A secret that was not written yet must not count as one that was left out.
    if (given === undefined) {
      problems.push({ variable: `${variable}_FILE`, message: `names an empty file: ${file}` });
    }
    return given;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.push({ variable: `${variable}_FILE`, message: `cannot be read: ${file} (${code})` });
    return undefined;
  }
}

/** `ISSUER_FILE`: what is no secret is never read from a file. */
function uselessFiles(topics: Topics, env: NodeJS.ProcessEnv): ConfigProblem[] {
  return settingsOf(topics)
    .filter(({ secret, variable }) => !secret && nonEmpty(env[`${variable}_FILE`]) !== undefined)
    .map(({ variable }) => ({
      variable: `${variable}_FILE`,
      message: `is not read: set ${variable} itself`,
    }));
}

function knownNames(topics: Topics): Set<string> {
  const all = settingsOf(topics);
  const files = all.filter(({ secret }) => secret).map(({ variable }) => `${variable}_FILE`);
  return new Set([...all.map(({ variable }) => variable), ...files]);
}
