import { createReadStream, statSync } from 'node:fs';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { By } from '../app/by.ts';
import { byProgram } from '../app/by.ts';
import type { Candidate } from '../app/user-import/candidate.ts';
import { type ImportOutcome, importUsers } from '../app/user-import/import-users.ts';
import { type ImportingNode, judge, type Taken } from '../app/user-import/judge.ts';
import { type ImportRefusal, importRefusals } from '../app/user-import/refusals.ts';
import { readUser, type SystemName, systemNames } from '../app/user-import/systems.ts';
import { loadConfig } from '../node/config.ts';
import { SubjectKeys } from '../platform/crypto/subject-cipher.ts';
import { DamagedExportError, openImportSource, type SourceItem } from './import-source.ts';
import { withOpenLog } from './open-log.ts';
import { ProgressLine } from './progress-line.ts';
import { RejectsFile } from './rejects-file.ts';

export interface ImportOptions {
  readonly from?: string;
  /** Names the system whose ids these are. */
  readonly source?: string;
  readonly dryRun?: boolean;
  readonly trustVerified?: boolean;
  readonly rejects?: string;
}

/** So many users are looked for in one query. */
const batchUsers = 100;
/** While one batch is in the database, the keys of the next are made. */
const batchesUnderWay = 2;
const refusalsShown = 20;
const nothingFound =
  'No user was found in the file: it must hold one JSON object on each line, an array of them, or ' +
  'a document with the array `users`';

/**
 * Registers the users of a file, `-` for the standard input, against the database itself. It may be
 * cut off at any moment and run again. Prints how many were imported and refused, and why. The exit
 * code is 2 when a user was refused.
 */
export async function usersImport(file: string, options: ImportOptions): Promise<void> {
  const from = systemOf(options.from);
  const rejects = new RejectsFile(options.rejects ?? rejectsOf(file));
  if (path.resolve(rejects.path) === path.resolve(file)) {
    throw new Error('The file of rejects must not be the file that is imported');
  }
  // What a batch leaves behind is young garbage: V8 would let it grow to 64 MiB and more at once.
  setFlagsFromString('--semi-space-growth-factor=1');
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const bytes = file === '-' ? null : statSync(file).size;
  const config = loadConfig();
  await withOpenLog(config, 'latchkey users', async ({ cells, keyWrap, secrets }) => {
    const subjectKeys = new SubjectKeys({ keyWrap, cachedKeysMax: 1 });
    const node: ImportingNode = { cells, secrets, subjectKeys, now: Date.now };
    const run = new ImportRun(node, {
      ...options,
      ...{ from, rejects, bytes },
      usernames: config.usernames.enabled,
    });
    try {
      await run.read(stream);
      rejects.finish();
    } finally {
      rejects.close();
      run.report();
    }
  });
}

function systemOf(name = 'latchkey'): SystemName {
  const found = systemNames.find((known) => known === name);
  if (found !== undefined) return found;
  throw new Error(`--from must be one of ${systemNames.join(', ')}`);
}

function rejectsOf(file: string): string {
  return file === '-' ? 'import.rejects.ndjson' : `${file}.rejects.ndjson`;
}

interface RunOptions extends Omit<ImportOptions, 'from' | 'rejects'> {
  readonly from: SystemName;
  readonly usernames: boolean;
  readonly rejects: RejectsFile;
  /** null where the length is not known. */
  readonly bytes: number | null;
}

class ImportRun {
  readonly #node: ImportingNode;
  readonly #options: RunOptions;
  readonly #by: By = byProgram('system', 'cli');
  readonly #progress = new ProgressLine(process.stderr);
  readonly #counts = { imported: 0, present: 0, refused: 0 };
  readonly #reasons = new Map<ImportRefusal, number>();
  readonly #taken: Taken = new Map();
  readonly #leftOut = { names: 0, factors: 0 };
  #unit = 'line';
  #bytesRead = 0;

  constructor(node: ImportingNode, options: RunOptions) {
    this.#node = node;
    this.#options = options;
  }

  async read(stream: AsyncIterable<Buffer>): Promise<void> {
    const { unit, items } = await openImportSource(this.#counted(stream));
    this.#unit = unit;
    const underWay = new Set<Promise<void>>();
    let batch: SourceItem[] = [];
    const begin = async () => {
      if (underWay.size >= batchesUnderWay) await Promise.race(underWay);
      const work = this.#take(batch).finally(() => underWay.delete(work));
      // Whoever waits for it hears of a failure; it must not end the process before.
      work.catch(() => {});
      underWay.add(work);
      batch = [];
    };
    let damage: DamagedExportError | null = null;
    let isEmpty = true;
    try {
      for await (const item of items) {
        isEmpty = false;
        batch.push(item);
        if (batch.length === batchUsers) await begin();
      }
    } catch (error) {
      if (!(error instanceof DamagedExportError)) throw error;
      damage = error;
    }
    await begin();
    await Promise.all(underWay);
    if (damage !== null) throw damage;
    if (isEmpty) throw new Error(nothingFound);
  }

  async *#counted(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      this.#bytesRead += chunk.length;
      yield chunk;
    }
  }

  async #take(items: readonly SourceItem[]): Promise<void> {
    const { from, source = from, trustVerified = false, usernames } = this.#options;
    const options = { source, trustVerified, usernames, now: this.#node.now() };
    const good: { readonly item: SourceItem; readonly candidate: Candidate }[] = [];
    for (const item of items) {
      const read =
        item.refusal === undefined
          ? readUser(item.value, from, options)
          : { refusal: item.refusal };
      if ('refusal' in read) this.#refuse(item, read.refusal);
      else good.push({ item, candidate: read });
    }
    const outcomes = await this.#outcomes(good.map(({ candidate }) => candidate));
    good.forEach(({ item, candidate }, index) => {
      const outcome = outcomes[index]!;
      if (outcome === 'imported') this.#countLeftOut(candidate);
      if (typeof outcome === 'string') this.#counts[outcome] += 1;
      else this.#refuse(item, outcome.refusal);
    });
    this.#draw();
  }

  #countLeftOut({ leavesUsernameOut, leavesSecondFactorOut }: Candidate): void {
    if (leavesUsernameOut) this.#leftOut.names += 1;
    if (leavesSecondFactorOut) this.#leftOut.factors += 1;
  }

  async #outcomes(candidates: readonly Candidate[]): Promise<ImportOutcome[]> {
    if (this.#options.dryRun !== true) return importUsers(this.#node, candidates, this.#by);
    const judged = await judge(this.#node, candidates, this.#taken);
    return judged.map(({ judgement }) => (judgement === 'new' ? 'imported' : judgement));
  }

  #refuse({ number, text }: SourceItem, reason: ImportRefusal): void {
    this.#counts.refused += 1;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    const why = importRefusals[reason];
    const about = { [this.#unit]: number, reason, why };
    // Nobody can mend it, and nothing of an erased person is kept.
    this.#options.rejects.add({ about, text: reason === 'erased' ? null : text });
    if (this.#counts.refused > refusalsShown) return;
    this.#progress.clear();
    console.error(`${this.#unit} ${number}: ${reason}: ${why}`);
    if (this.#counts.refused === refusalsShown) {
      console.error(`Further ones stand in ${this.#options.rejects.path} only.`);
    }
  }

  #draw(): void {
    const { imported, present, refused } = this.#counts;
    const { bytes } = this.#options;
    const share = bytes === null || bytes === 0 ? null : this.#bytesRead / bytes;
    this.#progress.draw(share, `${imported + present + refused} users, ${refused} refused`);
  }

  report(): void {
    this.#progress.clear();
    const { imported, present, refused } = this.#counts;
    const would = this.#options.dryRun === true ? 'would be imported' : 'imported';
    console.log(`${imported} users ${would}, ${present} were there already, ${refused} refused`);
    for (const [reason, count] of [...this.#reasons].sort((a, b) => b[1] - a[1])) {
      console.log(`  ${String(count).padStart(7)}  ${reason}: ${importRefusals[reason]}`);
    }
    const { names, factors } = this.#leftOut;
    if (names > 0) console.log(`${names} user names were left out, because USERNAMES is off.`);
    if (factors > 0) {
      console.log(
        `${factors} users have a second factor in the other system, which is not imported: here ` +
          'the password alone logs them in until they enrol anew.',
      );
    }
    const { rejects } = this.#options;
    if (!rejects.isEmpty) {
      const hashes = rejects.holdsHashes ? ', with their password hashes' : '';
      console.log(`${rejects.path} holds those that were refused${hashes}.`);
    }
    if (refused > 0) process.exitCode = 2;
  }
}
