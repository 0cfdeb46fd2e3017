import { statfsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../platform/embedded-postgres/start.ts';
import type { Logger } from '../platform/logging/logging.ts';
import { postgresAnswers } from '../platform/postgres/answers.ts';

const lookMs = 2_000;
const answerMs = 5_000;
/** So many looks without an answer, and a server that still runs is taken for stuck. */
const silentLooksMax = 10;
/** Less than one more segment of the write-ahead log: Postgres may fail at its next write. */
const freeBytesMin = 16 * 1024 * 1024;

interface Options {
  readonly dataDir: string;
  readonly log: Logger;
}

/**
 * Starts Postgres again, on the same port, whenever it ends by itself or no longer answers; the
 * service recovers as it would from any other loss of its database. Says when the disk is full.
 * When Postgres does not start again the process ends. Answers the function that ends both.
 */
export function keepRunning(first: EmbeddedPostgres, options: Options): () => Promise<void> {
  const { dataDir, log } = options;
  const stopping = new AbortController();
  let current = first;
  const restart = async () => {
    await current.ended;
    if (stopping.signal.aborted) return;
    log.error({}, 'embedded Postgres has ended: starting it again');
    await current.stop();
    current = await startEmbeddedPostgres({ dataDir, logger: log });
    watch();
  };
  const watch = () => {
    const { signal } = stopping;
    void watchDisk(current, options, signal);
    void stopWhenSilent(current, options, signal);
    restart().catch((error: unknown) => {
      const why = isFull(dataDir) || saysFull(error) ? `, for ${diskIsFull(dataDir)}` : '';
      log.fatal({ err: error }, `embedded Postgres does not start again${why}: the service ends`);
      process.exitCode = 1;
      process.kill(process.pid, 'SIGTERM');
    });
  };
  watch();
  return () => {
    stopping.abort();
    return current.stop();
  };
}

/** Calls `look` every `lookMs` until the server has ended or `signal` is aborted. */
async function whileRunning(
  server: EmbeddedPostgres,
  signal: AbortSignal,
  look: () => Promise<void>,
): Promise<void> {
  let ended = false;
  void server.ended.then(() => {
    ended = true;
  });
  while (!ended && !signal.aborted) {
    await look();
    await delay(lookMs, undefined, { signal, ref: false }).catch(() => {});
  }
}

function watchDisk(
  server: EmbeddedPostgres,
  { dataDir, log }: Options,
  signal: AbortSignal,
): Promise<void> {
  let full = false;
  return whileRunning(server, signal, async () => {
    const now = isFull(dataDir);
    if (now && !full)
      log.error({}, `${diskIsFull(dataDir)}: nothing can be written until it has room`);
    if (full && !now) log.info({}, 'the disk that holds DATA_DIR has room again');
    full = now;
  });
}

function stopWhenSilent(
  server: EmbeddedPostgres,
  { log }: Options,
  signal: AbortSignal,
): Promise<void> {
  let silent = 0;
  return whileRunning(server, signal, async () => {
    silent = (await postgresAnswers(server.url, answerMs)) ? 0 : silent + 1;
    if (silent < silentLooksMax || signal.aborted) return;
    log.error({}, 'embedded Postgres no longer answers: stopping it');
    await server.stop();
  });
}

function isFull(dataDir: string): boolean {
  const { bavail, bsize } = statfsSync(dataDir);
  return bavail * bsize < freeBytesMin;
}

function saysFull(error: unknown): boolean {
  return error instanceof Error && error.message.includes('No space left on device');
}

function diskIsFull(dataDir: string): string {
  return `the disk that holds DATA_DIR (${dataDir}) is full`;
}
