import { vi } from 'vitest';
import type { Command } from '../../src/eventlog/command.ts';
import { Writer } from '../../src/eventlog/writer.ts';

/** Every command that any writer of this process appends from now on, until mocks are restored. */
export function recordSentCommands(): Command[] {
  const commands: Command[] = [];
  const append = Writer.prototype.append;
  vi.spyOn(Writer.prototype, 'append').mockImplementation(function (this: Writer, command) {
    commands.push(command);
    return append.call(this, command);
  });
  return commands;
}
