import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const sensitiveWord = 'secret|token|passw|email|authorization|cookie|kek|private|credential|otp';
const sensitiveName = new RegExp(sensitiveWord, 'i');
const redacted = '[redacted]';
const depthMax = 6;
const textCharactersMax = 4_000;
const lineCharactersMax = 64_000;

/**
 * Text that carries a secret wherever it stands: a JWT, credentials in a URL, an e-mail address, a
 * bearer. A stranger can write part of a line, so each pattern takes time in proportion to its
 * length: it begins where a run of its characters does, and nowhere inside.
 */
const sensitiveText: readonly [RegExp, (...found: string[]) => string][] = [
  // The bindings of a child logger meet no formatter.
  [
    /"(\w+)":"(?:[^"\\]|\\.)*"/g,
    (field, name) => (sensitiveName.test(name!) ? `"${name}":"${redacted}"` : field!),
  ],
  [/(?<![\w.-])[\w.-]{10,}/g, (run) => withoutToken(run!)],
  [
    /(?<![a-z0-9+.-])([a-z0-9+.-]+:\/\/[^\s:@/]*):[^\s@/]+@/gi,
    (_, before) => `${before}:${redacted}@`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, (_, scheme) => `${scheme} ${redacted}`],
  [/(?<![^\s@"'<>(){}:;,])[^\s@"'<>(){}:;,]+@[^\s@"'<>(){}:;,]+\.[a-z]{2,}/gi, () => redacted],
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

/** Cuts out of a run of letters, digits and dots what a JWT begins: `eyJ` and two dots. */
function withoutToken(run: string): string {
  const start = run.indexOf('eyJ');
  if (start === -1) return run;
  const parts = run.slice(start).split('.');
  return parts.length < 3 ? run : run.slice(0, start) + redacted;
}

function redactValue(value: unknown, depth: number): unknown {
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Error) return describeError(value, depth);
  if (typeof value === 'string') return shortened(value);
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
    message: shortened(error.message),
    ...(code === undefined ? {} : { code }),
    ...(isOurs && detail !== undefined ? { detail: redactValue(detail, depth + 1) } : {}),
    stack: error.stack === undefined ? undefined : shortened(error.stack),
    ...(error.cause === undefined || depth >= depthMax
      ? {}
      : { cause: redactValue(error.cause, depth + 1) }),
  };
}

function redactText(line: string): string {
  if (line.length > lineCharactersMax) return tooLong(line);
  return sensitiveText.reduce((text, [pattern, by]) => text.replace(pattern, by), line);
}

function tooLong(line: string): string {
  const { level, time, name, pid, msg } = JSON.parse(line) as Record<string, unknown>;
  const cut = { log_line_characters: line.length, msg: shortened(String(msg)) };
  return redactText(`${JSON.stringify({ level, time, name, pid, ...cut })}\n`);
}

function shortened(text: string): string {
  if (text.length <= textCharactersMax) return text;
  return `${text.slice(0, textCharactersMax)}… (${text.length} characters)`.toWellFormed();
}
