/** `trimaran status`: what a running role says of itself, over its control socket. */
import { ControlClient } from '../../runtime/control-client.ts';
import { type Command, type CommandOption, jsonOption, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { formatTree } from '../format-tree.ts';

export const controlOption: CommandOption = {
  name: 'control',
  value: 'PATH',
  description: 'The control socket of the running role, as "control" in its configuration file.',
};

export const statusCommand: Command = {
  name: 'status',
  summary: 'show what a running role does at the moment',
  synopsis: '--control PATH [--json]',
  description: [
    'Asks a running mobile node, or another role that has a control socket, for its state: accesses, registration, sessions; or sessions and bindings.',
  ],
  options: [controlOption, jsonOption],
  examples: [
    [
      'trimaran status --control /run/trimaran/mobile-node.sock',
      'The accesses and sessions of the mobile node.',
    ],
  ],
  run: async ({ options }) => {
    const { control, json } = options;
    if (typeof control !== 'string') throw usageError(statusCommand, 'the control socket is missing');
    const client = await ControlClient.connect(control);
    try {
      const status = await client.request('status');
      process.stdout.write(json === true ? `${JSON.stringify(status)}\n` : formatTree(status));
    } finally {
      client.close();
    }
    return exitCode.ok;
  },
};
