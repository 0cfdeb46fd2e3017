import { ConfigError } from '../platform/config/config-error.ts';

/** The value of a variable that this command cannot do without. Throws ConfigError. */
export function required<T>(value: T | undefined, variable: string): T {
  if (value !== undefined) return value;
  throw new ConfigError([{ variable, message: 'must be set for this command' }]);
}
