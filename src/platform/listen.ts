import type { Server } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { ConfigProblem } from './config/config-error.ts';
import { ConfigError } from './config/config-error.ts';

/** The variables that an operator changes when the address cannot be had. */
export interface AddressVariables {
  readonly host?: string;
  readonly port: string;
}

/**
 * Listens and answers the port. Throws ConfigError, which names the variable, for an address that
 * is taken, not this machine's, or not ours to take.
 */
export async function listen(
  server: Server,
  options: ListenOptions & { readonly host: string; readonly port: number },
  variables: AddressVariables,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      const problem = problemOf(error, options, variables);
      reject(problem === null ? error : new ConfigError([problem], { cause: error }));
    };
    server.once('error', refuse);
    server.listen(options, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

function problemOf(
  { code }: NodeJS.ErrnoException,
  { host, port }: { readonly host: string; readonly port: number },
  variables: AddressVariables,
): ConfigProblem | null {
  switch (code) {
    case 'EADDRINUSE':
      return {
        variable: variables.port,
        message: `${port} on ${host} is taken by another process: stop that one or choose another port`,
      };
    case 'EACCES':
      return {
        variable: variables.port,
        message: `${port} may not be used by this user: choose a port above 1023`,
      };
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return {
        variable: variables.host ?? variables.port,
        message: `${host} is not an address of this machine: choose one that is, such as 127.0.0.1 or 0.0.0.0`,
      };
    default:
      return null;
  }
}
