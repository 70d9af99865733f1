/** `trimaran handover`: moves a running mobile node to another access network. */
import { ControlClient } from '../../runtime/control-client.ts';
import { type Command, jsonOption, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { controlOption } from './status.ts';

export const handoverCommand: Command = {
  name: 'handover',
  summary: 'move a running mobile node to another access network',
  synopsis: '--control PATH [--json] ACCESS',
  description: [
    'Asks the mobile node to register over the access and to move every session there. The answer says whether that has begun; the role itself tells how it ends. From then on the node stays on this access as long as it lives.',
  ],
  options: [controlOption, jsonOption],
  operands: { minimum: 1, maximum: 1 },
  examples: [
    ['trimaran handover --control /run/trimaran/mobile-node.sock wlan', 'Moves to the access named wlan.'],
  ],
  run: async ({ options, operands }) => {
    const { control, json } = options;
    if (typeof control !== 'string') throw usageError(handoverCommand, 'the control socket is missing');
    const client = await ControlClient.connect(control);
    try {
      const answer = await client.request('handover', { to: operands[0] });
      process.stdout.write(
        `${json === true ? JSON.stringify(answer) : (answer as { outcome: string }).outcome}\n`,
      );
    } finally {
      client.close();
    }
    return exitCode.ok;
  },
};
