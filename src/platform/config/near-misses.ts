import { distance } from 'fastest-levenshtein';

/**
 * A sentence for each variable of `env` that is not in `known` and whose name is almost one of
 * those. Short names are left alone: too many programs have one like HOST or PORT.
 */
export function nearMisses(env: NodeJS.ProcessEnv, known: ReadonlySet<string>): string[] {
  return Object.keys(env)
    .filter((name) => !known.has(name) && env[name] !== '')
    .flatMap((name) => {
      const meant = nearest(name, known);
      return meant === null ? [] : [`${name} is not read: did you mean ${meant}?`];
    });
}

function nearest(name: string, known: ReadonlySet<string>): string | null {
  const upper = name.toUpperCase();
  if (known.has(upper)) return upper;
  const candidates = [...known]
    .map((candidate) => ({ candidate, edits: distance(upper, candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.min(3, Math.floor(candidate.length / 5)))
    .sort((a, b) => a.edits - b.edits);
  return candidates[0]?.candidate ?? null;
}
