/** `trimaran deregister`: makes a running HSS end a registration (RTR, 3GPP TS 29.228 §6.1.3). */
import { ControlClient } from '../../runtime/control-client.ts';
import { type Command, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { controlOption } from './status.ts';

export const deregisterCommand: Command = {
  name: 'deregister',
  summary: 'make an HSS end the registration of a user',
  synopsis: '--control PATH PRIVATE-IDENTITY',
  description: [
    'The S-CSCF of the user ends his registration and his sessions, and tells his terminals. He may register again: remove him from the configuration of the HSS to keep him away.',
  ],
  options: [controlOption],
  operands: { minimum: 1, maximum: 1 },
  examples: [
    [
      'trimaran deregister --control /run/trimaran/hss.sock bob@ims.test',
      'Ends the registration of bob@ims.test.',
    ],
  ],
  run: async ({ options, operands }) => {
    const { control } = options;
    if (typeof control !== 'string') throw usageError(deregisterCommand, 'the control socket is missing');
    const client = await ControlClient.connect(control);
    try {
      await client.request('deregister', { 'private-identity': operands[0] });
    } finally {
      client.close();
    }
    return exitCode.ok;
  },
};
