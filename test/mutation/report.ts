import { accepted } from './accepted.ts';

/** What is used of Stryker's JSON report. */
export interface MutationReport {
  readonly files: Readonly<
    Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>
  >;
}

interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
  readonly location: { readonly start: Place; readonly end: Place };
}

interface Place {
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

interface Survivor {
  readonly file: string;
  readonly line: number;
  readonly source: string;
  readonly mutator: string;
  readonly replacement: string;
  /** Why it may live; null where a test is owed. */
  readonly reason: string | null;
}

/** The outcome of one part. */
export interface Result {
  readonly part: string;
  /** Percent of the changes that make a test fail or hang. */
  readonly score: number;
  readonly counts: Readonly<Record<'killed' | 'timedOut' | 'survived' | 'ignored', number>>;
  readonly survivors: readonly Survivor[];
  /** null: of a run that took over results of an earlier one. */
  readonly minutes: number | null;
}

/** Percent. */
export const scoreMin = 90;

/** `minutes`: how long the part took. A mutant that no test reaches has survived. */
export function resultOf(part: string, report: MutationReport, minutes: number | null): Result {
  const mutants = Object.entries(report.files).flatMap(([file, { source, mutants: list }]) =>
    list.map((mutant) => ({ ...mutant, file, source: source.split('\n') })),
  );
  const of = (...statuses: string[]) => mutants.filter(({ status }) => statuses.includes(status));
  const alive = of('Survived', 'NoCoverage');
  const counts = {
    killed: of('Killed').length,
    timedOut: of('Timeout').length,
    survived: alive.length,
    ignored: of('Ignored').length,
  };
  const caught = counts.killed + counts.timedOut;
  return {
    part,
    score: (100 * caught) / (caught + counts.survived),
    counts,
    survivors: alive.map((mutant) => survivorOf(mutant)),
    minutes,
  };
}

function survivorOf(mutant: Mutant & { file: string; source: readonly string[] }): Survivor {
  const { start, end } = mutant.location;
  const { line } = start;
  const text = mutant.source[line - 1]!;
  const changed = text.slice(start.column - 1, end.line === line ? end.column - 1 : undefined);
  const known = accepted.find(
    ({ file, code }) => file === mutant.file && text.includes(code) && code.includes(changed),
  );
  return {
    file: mutant.file,
    line,
    source: text.trim(),
    mutator: mutant.mutatorName,
    replacement: (mutant.replacement ?? '').replace(/\s+/g, ' '),
    reason: known?.because ?? null,
  };
}

/** What stands above it in `docs/mutation.md` is written by hand. */
const marker = '<!-- From here on written by npm run test:mutation -->';

/** The page `docs/mutation.md` with these results; those of parts that did not run stay. */
export function pageWith(page: string, results: readonly Result[]): string {
  const end = page.indexOf(marker);
  if (end === -1) throw new Error(`docs/mutation.md has no line ${marker}`);
  const [, ...written] = page.slice(end).split(/^(?=## )/m);
  const sections = new Map(written.map((text) => [/^## (.*)/.exec(text)![1]!, text.trimEnd()]));
  for (const result of results) sections.set(result.part, sectionOf(result).trimEnd());
  return `${page.slice(0, end)}${marker}\n\n${[...sections.values()].join('\n\n')}\n`;
}

/** Score and survivors of a part, as Markdown. */
export function sectionOf({ part, score, counts, survivors, minutes }: Result): string {
  const { killed, timedOut, survived, ignored } = counts;
  const cells = [`${score.toFixed(1)} %`, killed, timedOut, survived, ignored];
  const owed = survivors.filter(({ reason }) => reason === null);
  const fine = survivors.filter(({ reason }) => reason !== null);
  return [
    `## ${part}`,
    '',
    '| Score | Noticed by a test | By a test that hung | Survived | Left alone | Minutes |',
    '|---|---|---|---|---|---|',
    `| ${[...cells, minutes === null ? '' : Math.ceil(minutes)].join(' | ')} |`,
    ...(fine.length === 0
      ? []
      : ['', 'Survivors that make no difference:', '', ...tableOf(fine, 'Why it may')]),
    ...(owed.length === 0 ? [] : ['', 'Survivors that are owed a test:', '', ...tableOf(owed)]),
    '',
  ].join('\n');
}

function tableOf(survivors: readonly Survivor[], reasons?: string): string[] {
  const row = (...cells: string[]) => `| ${cells.join(' | ')} |`;
  const more = (text: string) => (reasons === undefined ? [] : [text]);
  return [
    row('Where', 'Becomes', ...more(reasons ?? '')),
    `|---|---|${reasons === undefined ? '' : '---|'}`,
    ...survivors.map(({ file, line, source, replacement, reason }) =>
      row(`\`${file}\`:${line} ${code(source)}`, code(replacement), ...more(reason ?? '')),
    ),
  ];
}

function code(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  return short === '' ? '(nothing)' : `\`${short.replaceAll('|', '\\|').replaceAll('`', "'")}\``;
}
