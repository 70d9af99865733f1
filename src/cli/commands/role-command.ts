/** The commands that run one role each: all take a configuration file and run until they are told to end. */
import type { Role } from '../../runtime/role.ts';
import { RoleOutput } from '../../runtime/role-output.ts';
import { runRole } from '../../runtime/run-role.ts';
import { type Command, jsonOption, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';

export type RoleManual = Pick<Command, 'summary' | 'description' | 'examples'>;

export function roleCommand<Configuration>(role: Role<Configuration>, manual: RoleManual): Command {
  const command: Command = {
    name: role.name,
    synopsis: '-c FILE [--trace FILE] [--json]',
    options: [
      { name: 'config', short: 'c', value: 'FILE', description: 'The configuration file, YAML.' },
      {
        name: 'trace',
        value: 'FILE',
        description:
          'Write every SIP and Diameter message that is sent or received as a line of JSON; "fd:3" writes to an inherited descriptor.',
      },
      jsonOption,
    ],
    summary: manual.summary,
    description: [
      ...manual.description,
      'Runs in the foreground and tells on standard output what happens. SIGINT and SIGTERM end it: it says goodbye to its peers and takes away what it set up in the kernel. A second signal does not wait.',
    ],
    examples: manual.examples,
    run: async ({ options }) => {
      const { config, trace, json } = options;
      if (typeof config !== 'string') throw usageError(command, 'the configuration file is missing');
      const output = new RoleOutput({ json: json === true, ...(typeof trace === 'string' && { trace }) });
      try {
        await runRole(role, config, output.sink);
      } finally {
        await output.close();
      }
      return exitCode.ok;
    },
  };
  return command;
}
