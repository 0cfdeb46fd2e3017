import { writerConnections } from '../platform/postgres/pool.ts';
import type { Config } from './config.ts';

/** Connections of an API process that count rate limits (`RATE_LIMIT_STORE`). */
export function limitConnections({ http }: Pick<Config, 'http'>): number {
  return http.rateLimitStore === 'postgres' ? 2 : 0;
}

/** All connections of an API process, that of the revocation poll included. */
export function nodeConnections(config: Pick<Config, 'http' | 'database'>): number {
  return config.database.poolReaders + writerConnections + limitConnections(config) + 1;
}
