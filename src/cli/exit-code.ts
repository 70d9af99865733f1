/** What the exit status of `trimaran` says; every command's help lists them. */
import { TrimaranError } from '../base/trimaran-error.ts';

export const exitCode = { ok: 0, failed: 1, usage: 2, notPermitted: 3, notRunning: 4 } as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCode.ok, 'it worked'],
  [exitCode.failed, 'it did not; standard error says why and what would help'],
  [exitCode.usage, 'the command line or the configuration file is wrong'],
  [exitCode.notPermitted, 'this user or this machine may not do that'],
  [exitCode.notRunning, 'the role that was to be asked does not run'],
];

export function exitCodeOf(error: unknown): ExitCode {
  switch (error instanceof TrimaranError ? error.code : '') {
    case 'USAGE':
    case 'CONFIGURATION_INVALID':
    case 'CONFIGURATION_UNREADABLE':
    case 'UNKNOWN_SCENARIO':
      return exitCode.usage;
    case 'NOT_PERMITTED':
    case 'EPERM':
    case 'EACCES':
      return exitCode.notPermitted;
    case 'NOT_RUNNING':
    case 'CONNECTION_LOST':
      return exitCode.notRunning;
    default:
      return exitCode.failed;
  }
}
