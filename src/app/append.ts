import type { ErrorCode } from '@latchkey/contract/error-code';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { CommandRows, StreamTouch } from '../eventlog/command.ts';
import type { Attempt } from '../eventlog/handle.ts';
import { newId } from '../platform/crypto/new-id.ts';
import { mergeRows } from '../tables/change.ts';
import { type By, metaOf } from './by.ts';

/** Events of one stream with their rows, or rows without events. A `Change` is one. */
export interface Part {
  readonly touch?: StreamTouch;
  readonly rows?: CommandRows;
}

/** The attempt that appends nothing and answers. */
export function unchanged<T>(answer: Attempt<T>['answer']): Attempt<T> {
  return { command: null, answer };
}

/**
 * The attempt that appends these parts as one command and then answers. Without an event among them
 * there is nothing to append. `commandId`: of a command that may be repeated.
 */
export function append<T>(
  by: By,
  parts: readonly Part[],
  answer: Attempt<T>['answer'],
  commandId: string = newId(),
): Attempt<T> {
  const streams = parts.flatMap(({ touch }) => touch ?? []);
  if (streams.every(({ events }) => events.length === 0)) return unchanged(answer);
  const rows = mergeRows(...parts.map((part) => part.rows ?? {}));
  return { command: { commandId, meta: metaOf(by), streams, rows }, answer };
}

/**
 * The attempt that appends what was decided and then raises the refusal that the decision gave. The
 * caller hears of it only once it is in the log, and so does `onRefused`.
 */
export function refuse(
  by: By,
  decided: Part & { readonly refusal: ErrorCode | undefined },
  detail: string,
  onRefused: () => void = () => {},
): Attempt<never> {
  const { refusal } = decided;
  if (refusal === undefined) throw new Error('a decision that refuses nothing');
  return append(by, [decided], () => {
    onRefused();
    throw new LatchkeyError(refusal, { detail });
  });
}
