import { spawn } from 'node:child_process';
import type { NodeState } from '@vhostlab/lab';
import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { addLabsOption, type LabFlags, livingLab } from '../lab-options.ts';

/** Adds `vhostlab lab exec`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('exec')
    .description(
      'run a program beside a node: in its container or guest, or here with VHOSTLAB_NODE, _ADDRESS and _PID set',
    )
    .argument('<lab>', 'name of the lab, or its file')
    .argument('<node>', 'name of the node')
    .argument('<program...>', 'program and arguments, after --');
  addLabsOption(command).action((name: string, node: string, program: string[], flags: LabFlags) =>
    exec(io, name, node, program, flags),
  );
}

async function exec(io: Io, name: string, node: string, program: string[], flags: LabFlags): Promise<void> {
  const state = await livingLab(name, flags);
  const found = state.nodes.find((candidate) => candidate.name === node);
  if (found === undefined) {
    const known = state.nodes.map((candidate) => candidate.name).join(', ');
    throw new OperatorError(`lab ${state.name} has no node "${node}"; there are ${known}`);
  }
  if (found.placement === 'endpoint') {
    throw new OperatorError(`${node} is run by others at ${found.address}; run the program there`);
  }
  if (found.console !== undefined) {
    process.exitCode = await execInGuest(io, found.console, program);
    return;
  }
  const [file, ...args] = found.container === undefined ? program : dockerExec(found, program);
  const environment = {
    VHOSTLAB_LAB: state.name,
    VHOSTLAB_NODE: found.name,
    VHOSTLAB_ADDRESS: found.address,
    VHOSTLAB_PID: String(found.pid ?? ''),
    ...found.environment,
  };
  const child = spawn(file, args, {
    stdio: ['inherit', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  child.stdout.on('data', (data: Buffer) => io.out(data.toString()));
  child.stderr.on('data', (data: Buffer) => io.err(data.toString()));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(new OperatorError(`${file} cannot be run (${error.code}); name a program that is there`)),
    );
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Runs a program in a guest of the real clock, whose console its lab serves. */
async function execInGuest(io: Io, socket: string, program: readonly string[]): Promise<number> {
  const { runInGuest, shellCommand } = await import('@vhostlab/lab');
  // one word is a shell command as it is, several are a program and its arguments
  const command = program.length === 1 ? program[0] : shellCommand(program);
  try {
    const { status, output } = await runInGuest(socket, command);
    io.out(output.endsWith('\n') || output === '' ? output : `${output}\n`);
    return status;
  } catch (error) {
    throw new OperatorError((error as Error).message);
  }
}

function dockerExec({ container }: NodeState, program: readonly string[]): string[] {
  return ['docker', 'exec', container ?? '', ...program];
}
