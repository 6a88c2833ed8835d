import type { Command } from 'commander';
import { addRulesCommand } from './edge-rules.js';
import type { Io } from './terminal.js';

/** `hostplane edge …` */
export function addEdgeCommands(program: Command, io: Io): void {
  const edge = program.command('edge').description('what visitors come through');
  addRulesCommand(edge, io);
}
