#!/usr/bin/env node
/**
 * The `trimaran` binary: finds the command, reads its line, and turns what goes wrong into a message, a remedy and an exit status.
 * A stack trace is shown only when TRIMARAN_DEBUG is set.
 */
import { TrimaranError } from '../base/trimaran-error.ts';
import { nearestName } from '../runtime/configuration/nearest-name.ts';
import { type Command, parseCommandLine } from './command.ts';
import { addressTranslatorCommand } from './commands/address-translator.ts';
import { correspondentNodeCommand } from './commands/correspondent-node.ts';
import { deregisterCommand } from './commands/deregister.ts';
import { doctorCommand } from './commands/doctor.ts';
import { handoverCommand } from './commands/handover.ts';
import { homeAgentCommand } from './commands/home-agent.ts';
import { homeAgentAccountsCommand } from './commands/home-agent-accounts.ts';
import { homeSubscriberServerCommand } from './commands/hss.ts';
import { interrogatingCscfCommand } from './commands/i-cscf.ts';
import { imsCoreCommand } from './commands/ims-core.ts';
import { labCommand } from './commands/lab.ts';
import { mobileNodeCommand } from './commands/mobile-node.ts';
import { proxyCscfCommand } from './commands/p-cscf.ts';
import { revokeCommand } from './commands/revoke.ts';
import { runCommand } from './commands/run.ts';
import { servingCscfCommand } from './commands/s-cscf.ts';
import { sessionCommand } from './commands/session.ts';
import { sipServerCommand } from './commands/sip-server.ts';
import { statusCommand } from './commands/status.ts';
import { trimAsCommand } from './commands/trim-as.ts';
import { whyCommand } from './commands/why.ts';
import { type ExitCode, exitCode, exitCodeOf } from './exit-code.ts';
import { formatManualPage } from './manual-page.ts';

const commands: readonly Command[] = [
  labCommand,
  mobileNodeCommand,
  imsCoreCommand,
  proxyCscfCommand,
  interrogatingCscfCommand,
  servingCscfCommand,
  homeSubscriberServerCommand,
  trimAsCommand,
  addressTranslatorCommand,
  homeAgentCommand,
  homeAgentAccountsCommand,
  sipServerCommand,
  correspondentNodeCommand,
  statusCommand,
  handoverCommand,
  whyCommand,
  revokeCommand,
  deregisterCommand,
  sessionCommand,
  runCommand,
  doctorCommand,
];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    const rest = await enterNamespace(args);
    const [name, ...ofCommand] = rest;
    if (name === undefined || name === '--help' || name === '-h' || name === 'help')
      return help(ofCommand[0]);
    const command = findCommand(name);
    const line = parseCommandLine(command, ofCommand);
    if (line.options['help'] === true) return help(name);
    return await command.run(line);
  } catch (error) {
    tell(error, args.includes('--json'));
    return exitCodeOf(error);
  }
}

/** A hidden option that comes first, `--netns PATH`: the command in a namespace that has no name, for tests and where no `nsenter` is. */
async function enterNamespace(args: readonly string[]): Promise<readonly string[]> {
  const [option, path, ...rest] = args;
  if (option !== '--netns' || path === undefined) return args;
  const { NetworkNamespace } = await import('../drivers/linux/network-namespace.ts');
  NetworkNamespace.open(path).enter();
  return rest;
}

function help(name: string | undefined): ExitCode {
  process.stdout.write(name === undefined ? overview() : `${formatManualPage(findCommand(name))}\n`);
  return exitCode.ok;
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: trimaran COMMAND [OPTION]…

Keeps calls, streams and TCP connections alive while a host changes access
networks.

Commands:
${list.join('\n')}

"trimaran COMMAND --help" shows the manual page of a command.
`;
}

function findCommand(name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const nearest = nearestName(
    name,
    commands.map((command) => command.name),
  );
  const hint = nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
  throw new TrimaranError('USAGE', `there is no command "${name}"${hint}`, {
    remedy: '"trimaran --help" lists the commands.',
  });
}

function tell(error: unknown, asJson: boolean): void {
  const { code, remedy } = error instanceof TrimaranError ? error : { code: 'INTERNAL', remedy: '' };
  const message = error instanceof Error ? error.message : String(error);
  if (asJson) process.stderr.write(`${JSON.stringify({ error: { code, message, remedy } })}\n`);
  else process.stderr.write(`trimaran: ${message}\n${remedy === '' ? '' : `${remedy}\n`}`);
  if (process.env['TRIMARAN_DEBUG'] !== undefined && error instanceof Error)
    process.stderr.write(`${error.stack}\n`);
}
