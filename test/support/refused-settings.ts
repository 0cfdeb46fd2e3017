import { loadConfig } from '../../src/node/config.ts';
import { ConfigError } from '../../src/platform/config/config-error.ts';

/** The names of the variables that are refused, in order. */
export function refusedSettings(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ variable }) => variable).sort();
  }
}
