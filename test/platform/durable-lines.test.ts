import { appendFileSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DurableLines } from '../../src/platform/durable-lines.ts';
import { aFile } from '../support/a-file.ts';

let file: string;
let lines: DurableLines;
beforeEach(() => {
  file = aFile('lines');
  lines = new DurableLines(file);
});
afterEach(() => rmSync(path.dirname(file), { recursive: true, force: true }));

const read = () => Array.fromAsync(lines.lines());

describe('a file of lines', () => {
  it('holds what was appended, in order, for its owner alone', async () => {
    expect(await read()).toEqual([]);
    await lines.append('first');
    await lines.append('second');
    expect(readFileSync(file, 'utf8')).toBe('first\nsecond\n');
    expect(await read()).toEqual(['first', 'second']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  // Fails when a line is glued to one that a crash has cut.
  it('begins a line of its own behind one that was cut', async () => {
    await lines.append('first');
    appendFileSync(file, '{"cut');
    await lines.append('third');
    expect(await read()).toEqual(['first', '{"cut', 'third']);
  });

  it('takes lines of many writers at once, each whole', async () => {
    const writers = [lines, new DurableLines(file), new DurableLines(file)];
    const texts = Array.from({ length: 60 }, (_, n) => `line ${n} ${'x'.repeat(100)}`);
    await Promise.all(texts.map((text, n) => writers[n % 3]!.append(text)));
    expect((await read()).toSorted()).toEqual(texts.toSorted());
  });

  it('goes on in a new file when the old one was moved away', async () => {
    await lines.append('first');
    renameSync(file, `${file}.1`);
    await lines.append('second');
    expect(await read()).toEqual(['second']);
  });

  it('says another state once it was written to, moved or removed', async () => {
    const states = [await lines.state()];
    await lines.append('first');
    states.push(await lines.state());
    await lines.append('second');
    states.push(await lines.state());
    expect(await lines.state()).toBe(states.at(-1));
    rmSync(file);
    expect(await lines.state()).toBe(states[0]);
    expect(new Set(states).size).toBe(3);
  });

  // Fails when a full disk is not noticed, or one failure keeps later lines away.
  it('says that a line could not be written, and takes the next one', async () => {
    const full = new DurableLines('/dev/full');
    await full.requireWritable();
    await expect(full.append('lost')).rejects.toThrow('ENOSPC');
    await expect(full.append('lost again')).rejects.toThrow('ENOSPC');
    const below = new DurableLines(path.join(file, 'below'));
    await lines.append('first');
    await expect(below.requireWritable()).rejects.toThrow(/ENOTDIR|EEXIST/);
    await lines.append('second');
    expect(await read()).toEqual(['first', 'second']);
  });
});
