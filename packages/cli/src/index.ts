export { OperatorError, reportError } from './errors.ts';
export type { Io } from './io.ts';
export type { CommandModule } from './load-commands.ts';
export { main } from './main.ts';
export { createProgram } from './program.ts';
export { createProgress, type Progress } from './progress.ts';
export { type Column, renderTable } from './table.ts';
export { VERSION } from './version.ts';
