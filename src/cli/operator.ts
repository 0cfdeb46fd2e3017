import { hostname, userInfo } from 'node:os';
import { type By, byProgram } from '../app/by.ts';

/** The command line, with the account and the machine that it runs on. */
export function byOperator(): By {
  return { ...byProgram('system', 'cli'), operator: { osUser: osUser(), host: hostname() } };
}

/** A container may run under an id that has no name. */
function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}
