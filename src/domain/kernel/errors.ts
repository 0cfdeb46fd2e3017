import type { ErrorCode } from '@latchkey/contract/error-code';

export interface LatchkeyErrorOptions {
  /** For the log only; never leaves the process. */
  readonly detail?: string;
  readonly cause?: unknown;
  /** Facts the client may see beside the code, such as `ended_at`. */
  readonly facts?: Readonly<Record<string, string | number | readonly string[]>>;
  /** Field problems the client may see. */
  readonly errors?: readonly { path: string; message: string }[];
  readonly retryAfterSeconds?: number;
  /** The nonce for the next DPoP proof, where it needs another one. */
  readonly dpopNonce?: string;
}

/**
 * The one typed error: a stable code, no HTTP. `message` is the code; what happened goes to
 * `detail`, for the log.
 */
export class LatchkeyError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly facts: LatchkeyErrorOptions['facts'];
  readonly errors: LatchkeyErrorOptions['errors'];
  readonly retryAfterSeconds: number | undefined;
  readonly dpopNonce: string | undefined;

  constructor(code: ErrorCode, options: LatchkeyErrorOptions = {}) {
    super(code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LatchkeyError';
    this.code = code;
    this.detail = options.detail;
    this.facts = options.facts;
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.dpopNonce = options.dpopNonce;
  }
}

/** `invalid_request` with one field problem, which the client sees. */
export function invalidField(path: string, message: string): LatchkeyError {
  return new LatchkeyError('invalid_request', { errors: [{ path, message }] });
}
