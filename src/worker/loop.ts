import type { JobContext } from './job.ts';

/**
 * Work that may be due more often than once a minute, which is the least that the job queue's
 * schedule knows. It is level-triggered, and what it appends is decided at an exact version: so every
 * worker runs its own loop, and none has to lead.
 */
export interface Loop {
  readonly name: string;
  /** Does what is due; answers in how many milliseconds something may be due again. */
  readonly run: (context: JobContext) => Promise<number>;
}

const pausesMs = { least: 100, most: 60_000, afterFailure: 1_000 };

/**
 * Runs `turn` now and again until `stop`, which waits for the run under way. A failure is followed by
 * another try, each time after twice the pause.
 */
export function startLoop(
  turn: () => Promise<number>,
  { least, most, afterFailure } = pausesMs,
): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failures = 0;
  let running = Promise.resolve();
  const run = async () => {
    const pause = await turn().then(
      (wanted) => {
        failures = 0;
        return Math.max(wanted, least);
      },
      () => {
        failures += 1;
        return afterFailure * 2 ** Math.min(failures - 1, 6);
      },
    );
    if (!stopped) timer = setTimeout(next, Math.min(pause, most));
  };
  const next = () => {
    running = run();
  };
  next();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
