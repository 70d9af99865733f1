/** The same messages to Kamailio's parser and to ours. Runs in a network namespace of its own. */
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { createInput } from '../fuzz/mutator.ts';
import { sipMessage } from '../fuzz/targets/sip-message.ts';
import { KamailioParser } from './kamailio-parser.ts';
import { differenceOf } from './parser-differences.ts';

export interface Comparison {
  readonly compared: number;
  /** How many messages of each kind of difference there were. */
  readonly differences: ReadonlyMap<string, number>;
  /** With what is needed to see each again. */
  readonly unexplained: readonly string[];
}

/** What fits into a datagram on loopback. */
const maximumOctets = 65_000;

export async function compareParsers(
  messages: Iterable<readonly [name: string, octets: Uint8Array]>,
): Promise<Comparison> {
  const links = new Rtnetlink();
  links.changeLink('lo', { up: true });
  links.close();
  const kamailio = await KamailioParser.start();
  const differences = new Map<string, number>();
  const unexplained: string[] = [];
  let compared = 0;
  try {
    for (const [name, octets] of messages) {
      if (octets.length > maximumOctets) continue;
      compared++;
      const difference = differenceOf(octets, await kamailio.judge(octets));
      if (difference === undefined) continue;
      differences.set(difference.name, (differences.get(difference.name) ?? 0) + 1);
      const text = Buffer.from(octets).toString('latin1');
      if (difference.name === 'unexplained')
        unexplained.push(`${name}: ${difference.why}\n${JSON.stringify(text.slice(0, 2000))}`);
    }
  } finally {
    await kamailio.close();
  }
  return { compared, differences, unexplained };
}

export function* mutatedMessages(
  seed: number,
  from: number,
  count: number,
): Generator<readonly [name: string, octets: Uint8Array]> {
  for (let index = from; index < from + count; index++)
    yield [`sip-message ${seed}:${index}`, createInput(sipMessage, seed, index).input];
}
