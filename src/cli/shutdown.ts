import type { Logger } from '../platform/logging/logging.ts';

/**
 * Waits for SIGTERM or SIGINT, then runs `stop` once; a second signal ends the process at once.
 * Resolves when stopped.
 */
export function untilStopped(log: Logger, stop: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, 'draining');
      stop().then(() => {
        log.info({}, 'stopped');
        process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
        resolve();
      }, reject);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}
