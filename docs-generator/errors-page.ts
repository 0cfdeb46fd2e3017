import { type ErrorCode, errorCodes } from '@latchkey/contract/error-code';
import { published } from '../src/api/http/problem.ts';
import { problemKinds } from '../src/api/http/problem-kinds.ts';
import { passwordProblems } from '../src/domain/user/password-rules.ts';
import { cell, code, table } from './markdown.ts';

/** `docs/errors.md`, from the error codes and the reasons of a refused password. */
export function errorsPage(): string {
  return `# Errors

Every refusal is a problem document (RFC 9457, \`application/problem+json\`):

\`\`\`json
{
  "type": "/docs#error-invalid_request",
  "title": "${problemKinds.invalid_request.title}",
  "status": ${problemKinds.invalid_request.status},
  "code": "invalid_request",
  "request_id": "019aa8b4-6a55-7d0c-9e0e-3f7d2a1c5b60",
  "errors": [{ "path": "device.type", "message": "Invalid option" }]
}
\`\`\`

- Branch on \`code\`: it is stable, and more codes may be added. \`title\` is for people.
- \`request_id\` is also in the header \`X-Request-Id\` and on every log line of the request. It is
  always Latchkey's own, and stands in the events of the request.
- Your own \`X-Request-Id\` (1 to 64 of \`A-Z a-z 0-9 . _ -\`) is on the log lines as
  \`caller_request_id\`, and nowhere else.
- What went wrong inside is only in the log.

${table(['Code', 'Status', '`error` below `/oauth2/`', 'Meaning'], codeRows())}

\`npm run docs\` writes this page. The table comes from \`src/api/http/problem-kinds.ts\`.

## Requests that are not HTTP

Latchkey answers them with \`invalid_request\` too, and closes the connection: 400 (cannot be
parsed), 408 (too slow), 417 (an \`Expect\` that it cannot meet), 431 (headers over 16 KiB). It
treats bytes behind a body that is longer than its \`Content-Length\` in the same way.

A connection answers its requests one after another. Up to 32 pipelined requests may wait for the
one before them. Latchkey cuts a connection with more, and one on which no byte moves for 40 s while
an answer is open. Send those requests again on a new connection.

## Challenges

- 401 carries \`WWW-Authenticate: Bearer\`, with \`error="invalid_token"\` only when you sent an
  access token (RFC 6750 section 3).
- 403 \`insufficient_scope\` carries \`WWW-Authenticate: Bearer … error="insufficient_scope"\`.
- 429 and 503 carry \`Retry-After\` in whole seconds. So does a 409 that time cures, such as a
  rotation while the JWKS is full, with \`possible_at\`.

## Below \`/oauth2/\`

Errors there are \`{"error", "error_description"}\` (RFC 6749 section 5.2) with the status of the
table, but 400 for \`invalid_grant\`. Failed client authentication is 401 with \`WWW-Authenticate:
Basic\`.

## Reasons of \`password_refused\`

${table(['Reason', 'The password'], reasonRows())}

The rules and the list that everybody uses are in \`src/domain/user/password-rules.ts\` and
\`src/domain/user/password-guesses.ts\`. [The tests](../test/domain/user/password-rules.test.ts)
have examples of each.
`;
}

function codeRows(): string[][] {
  const byPublished = Map.groupBy(errorCodes, (each) => published(each).code);
  return [...byPublished].map(([name, codes]) => [
    code(name),
    codes.map((each) => problemKinds[each].status).join(', '),
    code(problemKinds[name].oauth),
    cell(codes.map((each) => meaningOf(each, codes.length > 1)).join(' ')),
  ]);
}

function meaningOf(each: ErrorCode, namesStatus: boolean): string {
  const { meaning, status } = problemKinds[each];
  return namesStatus ? `${status}: ${meaning}` : meaning;
}

function reasonRows(): string[][] {
  return Object.entries(passwordProblems).map(([reason, words]) => [code(reason), cell(words)]);
}
