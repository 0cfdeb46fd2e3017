import { randomBytes } from 'node:crypto';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { RecordSeal, sealedReaders } from '../../src/eventlog/record-seal.ts';

/** The seal of tests that need no KEK: one per process. */
export const testSeal = new RecordSeal(randomBytes(32));

export const withTestSeal = (client: Queryable) => sealedReaders(client, testSeal);
