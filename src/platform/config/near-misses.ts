import { distance } from 'fastest-levenshtein';
import { environmentSchema, secretVariables, unsupportedVariables } from './config-schema.ts';

const ours = [...Object.keys(environmentSchema.shape), ...unsupportedVariables];
const files = secretVariables.map((name) => `${name}_FILE`);
const known = new Set([...ours, ...files]);

/**
 * A sentence for each variable of `env` that nothing reads and whose name is almost that of one of
 * ours. Short names are left alone: too many programs have one like HOST or PORT.
 */
export function nearMisses(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .filter((name) => !known.has(name) && env[name] !== '')
    .flatMap((name) => {
      const meant = nearest(name);
      return meant === null ? [] : [`${name} is not read: did you mean ${meant}?`];
    });
}

function nearest(name: string): string | null {
  const upper = name.toUpperCase();
  if (known.has(upper)) return upper;
  const candidates = [...known]
    .map((candidate) => ({ candidate, edits: distance(upper, candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.min(3, Math.floor(candidate.length / 5)))
    .sort((a, b) => a.edits - b.edits);
  return candidates[0]?.candidate ?? null;
}
