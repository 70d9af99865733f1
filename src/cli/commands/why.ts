/** `trimaran why`: why a running mobile node uses the access that it uses, and why it went there. */
import { ControlClient } from '../../runtime/control-client.ts';
import { type Command, jsonOption, usageError } from '../command.ts';
import { type DecisionAccount, formatDecisions } from '../decision-table.ts';
import { exitCode } from '../exit-code.ts';
import { controlOption } from './status.ts';

const defaultLast = 3;

export const whyCommand: Command = {
  name: 'why',
  summary: 'explain the last choices of access of a mobile node',
  synopsis: '--control PATH [--last N] [--json]',
  description: [
    'Shows what the mobile node compared when it last looked, and at its last handovers by choice, with every number: P and C are power and cost as configured; z is the smoothed round trip to the home agent and J its variation, in milliseconds; RNL = z + c·J; samples and missed count round trips and probes without answer in a row; U is the utility, of which the least is best; below is what U had to stay under.',
    'A policy of your own shows its own numbers.',
  ],
  options: [
    controlOption,
    {
      name: 'last',
      value: 'N',
      description: `How many handovers to explain; ${defaultLast} by default, the node remembers 32.`,
    },
    jsonOption,
  ],
  examples: [
    ['trimaran why --control /run/trimaran/mobile-node.sock', 'The present state and the last moves.'],
  ],
  run: async ({ options }) => {
    const { control, last = String(defaultLast), json } = options;
    if (typeof control !== 'string') throw usageError(whyCommand, 'the control socket is missing');
    if (!/^\d+$/.test(String(last))) throw usageError(whyCommand, `"${last}" is not a number`);
    const client = await ControlClient.connect(control);
    try {
      const account = (await client.request('why')) as DecisionAccount;
      process.stdout.write(
        json === true ? `${JSON.stringify(account)}\n` : formatDecisions(account, Number(last)),
      );
    } finally {
      client.close();
    }
    return exitCode.ok;
  },
};
