/**
 * Functions, classes and constants that are exported for tests alone, or for nobody. The list may
 * only shrink.
 */
export const exportsKnown: readonly string[] = [
  'packages/verifier/src/core/id-table.ts hashOf',
  'packages/verifier/src/core/lease.ts Lease',
  'src/api/http/origin-rule.ts originRule',
  'src/api/http/request-body.ts parseJson',
  'src/app/user/ensure-administrator.ts ensureAdministrator',
  'src/domain/user/common-passwords.ts commonPasswords',
  'src/domain/user/decide.ts decideUser',
  'src/domain/user/lockout.ts failuresBeforeLock',
  // Delivery makes links with it.
  'src/eventlog/database-clock.ts ClockSkewError',
  'src/eventlog/one-slot.ts mayCrossSlots',
  'src/eventlog/read.ts tailSql',
  'src/eventlog/snapshot.ts parseSnapshot',
  'src/platform/config/read-topics.ts settingsOf',
  'src/platform/crypto/subject-cipher.ts PersonalDataError',
  'src/platform/crypto/subject-cipher.ts createSubjectKey',
  'src/platform/postgres/application-role.ts setRoleTimeouts',
  'src/rebuild/fold.ts kindFold',
  'src/rebuild/rebuild.ts rebuild',
  'src/worker/job-schema.ts jobTables',
];
