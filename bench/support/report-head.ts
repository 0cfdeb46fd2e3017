/** What was typed, so that somebody can type it again. */
export function benchCommand(name: string): string {
  return ['npx node', `bench/${name}.ts`, ...process.argv.slice(2)].join(' ');
}

/** The day, in UTC. */
export const today = () => new Date().toISOString().slice(0, 10);
