import { constants } from 'node:os';
import type { Logger } from '../platform/logging/logging.ts';

const endNow = (signal: NodeJS.Signals) => process.exit(128 + constants.signals[signal]);

/**
 * Ends at SIGTERM or SIGINT until `untilStopped` takes over. For a start that may wait: as process 1
 * of a container, a process hears no signal that it does not handle.
 */
export function endOnSignal(): void {
  process.on('SIGTERM', endNow).on('SIGINT', endNow);
}

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
    process.off('SIGTERM', endNow).off('SIGINT', endNow);
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}
