/** What benchmarks compare the translator with: dropping at once, and NAT by connection tracking with an nftables map. */
import { parseIpAddress } from '../src/base/ip-address.ts';
import { NETLINK_NETFILTER, NetlinkSocket, netlinkFlag } from '../src/drivers/linux/netlink-socket.ts';
import { type Attribute, NftablesBatch, nftablesMessage } from '../src/drivers/linux/nftables-batch.ts';
import {
  type Expression,
  loadConstant,
  loadHeader,
  lookUp,
  verdict,
} from '../src/drivers/linux/nftables-expression.ts';
import { SetElements } from '../src/drivers/linux/nftables-set-elements.ts';

const PREROUTING = 0;
const POSTROUTING = 4;
const TABLE = 'bench';
const AF_INET = 2;
const append = netlinkFlag.create | netlinkFlag.append;

/** Drops every IPv4 packet that arrives in this network namespace, before anything else sees it. */
export function addDropRule(): void {
  const batch = begin();
  addChain(batch, 'drop', 'filter', PREROUTING, -500);
  addRule(batch, 'drop', [verdict('drop')]);
  batch.commit();
}

/** destination:port → datum of the map, source → `source`; established flows are found by connection tracking. */
export function addTrackingTranslator(
  source: string,
  elements: readonly {
    readonly destination: string;
    readonly port: number;
    readonly to: string;
    readonly toPort: number;
  }[],
): void {
  const batch = begin();
  const set: Attribute[] = [
    [1, TABLE],
    [2, 'to'],
    [3, 8],
    [4, 0],
    [5, 8],
    [6, 0],
    [7, 8],
    [9, [[1, 262_144]]],
    [10, 1],
  ];
  batch.add(nftablesMessage.newSet, netlinkFlag.create, 4, set, 'map');
  const encoded = new SetElements(TABLE, 'to', 8, 8);
  for (const { destination, port, to, toPort } of elements) {
    const at = encoded.append();
    const word = (of: number) => [of >> 8, of & 255, 0, 0];
    encoded.octets.set([...octetsOf(destination), ...word(port)], at + encoded.keyOffset);
    encoded.octets.set([...octetsOf(to), ...word(toPort)], at + encoded.dataOffset);
  }
  batch.addElements(nftablesMessage.newElement, 4, encoded, 'elements');
  addChain(batch, 'dnat', 'nat', PREROUTING, -100);
  const destinationAndPort = [loadHeader('network', 16, 4, 0), loadHeader('transport', 2, 2, 1)];
  addRule(batch, 'dnat', [...destinationAndPort, lookUp('to', 0, 2), translate('destination')]);
  addChain(batch, 'snat', 'nat', POSTROUTING, 100);
  addRule(batch, 'snat', [loadConstant(2, octetsOf(source)), translate('source')]);
  batch.commit();
}

/** NAT to the address in register 2, and, for the destination, the port in register 3. */
function translate(side: 'source' | 'destination'): Expression {
  const port: Attribute[] = side === 'destination' ? [[5, 8 + 3]] : [];
  return [
    [1, 'nat'],
    [2, [[1, side === 'source' ? 0 : 1], [2, AF_INET], [3, 8 + 2], ...port]],
  ];
}

function begin(): NftablesBatch {
  const batch = new NftablesBatch(new NetlinkSocket(NETLINK_NETFILTER));
  batch.add(nftablesMessage.newTable, netlinkFlag.create, 4, [[1, TABLE]], 'table');
  return batch;
}

function addChain(batch: NftablesBatch, name: string, type: string, hook: number, priority: number): void {
  const attributes: Attribute[] = [
    [1, TABLE],
    [3, name],
    [
      4,
      [
        [1, hook],
        [2, priority >>> 0],
      ],
    ],
    [7, type],
  ];
  batch.add(nftablesMessage.newChain, netlinkFlag.create, 4, attributes, `chain ${name}`);
}

function addRule(batch: NftablesBatch, chain: string, expressions: readonly Expression[]): void {
  const list = expressions.map((expression) => [1, expression] as const);
  batch.add(
    nftablesMessage.newRule,
    append,
    4,
    [
      [1, TABLE],
      [2, chain],
      [4, list],
    ],
    `rule of ${chain}`,
  );
}

function octetsOf(address: string): Uint8Array {
  return parseIpAddress(address) ?? new Uint8Array(4);
}
