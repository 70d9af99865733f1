/** `trimaran revoke`: makes a running home agent take back bindings (RFC 3543). */
import { ControlClient } from '../../runtime/control-client.ts';
import { type Command, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { controlOption } from './status.ts';

export const revokeCommand: Command = {
  name: 'revoke',
  summary: 'make a home agent take back the bindings of a mobile node',
  synopsis: '--control PATH HOME-ADDRESS [CARE-OF-ADDRESS]',
  description: [
    'Ends the tunnel to one care-of address, or to all of the mobile node, and tells the mobile node so (RFC 3543). It may register again: remove it from the configuration of the home agent to keep it away.',
  ],
  options: [controlOption],
  operands: { minimum: 1, maximum: 2 },
  examples: [
    [
      'trimaran revoke --control /run/home-agent.sock 198.51.100.10 10.2.0.7',
      'Takes back the binding of 198.51.100.10 over the access where it is 10.2.0.7.',
    ],
  ],
  run: async ({ options, operands }) => {
    const { control } = options;
    if (typeof control !== 'string') throw usageError(revokeCommand, 'the control socket is missing');
    const [homeAddress, careOfAddress] = operands;
    const client = await ControlClient.connect(control);
    try {
      await client.request('revoke', {
        'home-address': homeAddress,
        ...(careOfAddress !== undefined && { 'care-of-address': careOfAddress }),
      });
    } finally {
      client.close();
    }
    return exitCode.ok;
  },
};
