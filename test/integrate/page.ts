import { readText } from '../support/source-files.ts';

interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a page of `docs/integrate/`, such as `express`, in their order. */
export function blocksOf(page: string): readonly Block[] {
  const text = readText(`docs/integrate/${page}.md`);
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, block]) => ({
    language: language!,
    text: block!,
  }));
}

/**
 * The files of a page by their names: each block whose first line is a comment with nothing but a
 * file name.
 */
export function filesOf(page: string): Readonly<Record<string, string>> {
  const named = blocksOf(page).flatMap(({ text }) => {
    const name = /^(?:\/\/|#) ([\w-]+\.\w+)\n/.exec(text)?.[1];
    return name === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(named);
}

/** What a page tells its reader to type: how to install, then how to start. */
export function commandsOf(page: string): { readonly install: string; readonly start: string } {
  const commands = blocksOf(page).filter(({ language }) => language === 'sh');
  if (commands.length !== 2) throw new Error(`${page} has ${commands.length} sh blocks, not 2`);
  return { install: commands[0]!.text, start: commands[1]!.text };
}
