import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const sensitiveWord = 'secret|token|passw|email|authorization|cookie|kek|private|credential|otp';
const sensitiveName = new RegExp(sensitiveWord, 'i');
const redacted = '[redacted]';
const depthMax = 6;

/**
 * Text that carries a secret wherever it stands: a JWT, credentials in a URL, an e-mail address, a
 * bearer.
 */
const sensitiveText: readonly [RegExp, string][] = [
  // The bindings of a child logger meet no formatter.
  [
    new RegExp(`"(\\w*(?:${sensitiveWord})\\w*)":"(?:[^"\\\\]|\\\\.)*"`, 'gi'),
    `"$1":"${redacted}"`,
  ],
  [/eyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g, redacted],
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi, `$1:${redacted}@`],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${redacted}`],
  [/[^\s@"'<>(){}:;,]+@[^\s@"'<>(){}:;,]+\.[a-z]{2,}/gi, redacted],
];

/**
 * A JSON logger that never writes what looks like a secret, a token, a password or an e-mail
 * address, be it named so or found inside a text, at any depth. `name` says which process speaks.
 */
export function createLogger(
  options: { level: string; name: string },
  destination?: DestinationStream,
): Logger {
  const settings = {
    level: options.level,
    base: { name: options.name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => redactFields(fields, 0),
    },
    // `log` has described errors already, without the fields in which Postgres quotes rows.
    serializers: { err: (described: unknown) => described },
    hooks: { streamWrite: redactText },
  };
  return destination === undefined ? pino(settings) : pino(settings, destination);
}

function redactFields(fields: object, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    result[name] = isSensitive(name, value) ? redacted : redactValue(value, depth);
  }
  return result;
}

/** Counts and flags, such as `refreshTokens: 3`, are not secrets; texts and bytes are. */
function isSensitive(name: string, value: unknown): boolean {
  if (!sensitiveName.test(name)) return false;
  return typeof value !== 'number' && typeof value !== 'boolean' && value != null;
}

function redactValue(value: unknown, depth: number): unknown {
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Error) return describeError(value, depth);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= depthMax) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return redactFields(value, depth + 1);
}

/** Postgres puts values of rows into `detail` and `where`: those stay out. */
function describeError(error: Error, depth: number): Record<string, unknown> {
  const { code, detail } = error as { code?: unknown; detail?: unknown };
  const isOurs = error.name === 'LatchkeyError';
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(isOurs && detail !== undefined ? { detail } : {}),
    stack: error.stack,
    ...(error.cause === undefined || depth >= depthMax
      ? {}
      : { cause: redactValue(error.cause, depth + 1) }),
  };
}

function redactText(line: string): string {
  return sensitiveText.reduce((text, [pattern, by]) => text.replace(pattern, by), line);
}
