/** `trimaran run`: an ordinary program inside a session that survives a change of access network. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type { RemoteMedium } from '../../correspondent-node/terminal-description.ts';
import { type Command, usageError } from '../command.ts';
import type { ExitCode } from '../exit-code.ts';
import { openSession, sessionOptions } from './session.ts';

export const runCommand: Command = {
  name: 'run',
  summary: 'run a program inside such a session',
  synopsis: '--to URI [--proxy ADDRESS:PORT] MEDIUM… -- PROGRAM [ARGUMENT]…',
  description: [
    'Opens a session as "trimaran session" does, runs the program, and ends the session with it. In the arguments {address} and {port} stand for the address and port of the peer that the program has to use, {address.2} and {port.2} for those of the second medium.',
    'The exit status is that of the program.',
  ],
  options: sessionOptions,
  operands: { minimum: 1, maximum: 16 },
  examples: [
    [
      'trimaran run --to sip:a@b.test tcp:connect -- iperf3 -c {address} -p {port}',
      'Measures a TCP connection through handovers.',
    ],
    ['trimaran run --to sip:a@b.test tcp:connect -- ssh -p {port} {address}', 'A shell that stays.'],
  ],
  run: async (args) => {
    const [program, ...rest] = args.program;
    if (program === undefined) throw usageError(runCommand, 'the program is missing: -- PROGRAM [ARGUMENT]…');
    const session = await openSession(runCommand, args, args.operands);
    try {
      return await runProgram(
        program,
        rest.map((text) => substitute(text, session.media)),
      );
    } finally {
      await session.close();
    }
  },
};

async function runProgram(program: string, args: readonly string[]): Promise<ExitCode> {
  const child = spawn(program, args, { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  try {
    const [status] = (await once(child, 'exit')) as [number | null];
    return (status ?? 1) as ExitCode;
  } catch (cause) {
    throw new TrimaranError('PROGRAM_NOT_STARTED', `cannot run ${program}: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    process.off('SIGINT', pass).off('SIGTERM', pass);
  }
}

/** Unknown placeholders stay as they are: the program may use braces for itself. */
export function substitute(text: string, media: readonly RemoteMedium[]): string {
  return text.replace(
    /\{(address|port)(?:\.(\d+))?\}/g,
    (whole, what: string, number: string | undefined) => {
      const medium = media[Number(number ?? 1) - 1];
      return String((what === 'address' ? medium?.address : medium?.port) ?? whole);
    },
  );
}
