/**
 * Puts the table of an address translator into a transaction: sets, maps, chains and rules of nftables-rule-set.ts as messages, and
 * takes it out again.
 */
import { parseIpAddress } from '../../base/ip-address.ts';
import { netlinkFlag } from './netlink-socket.ts';
import { type Attribute, type IpFamily, type NftablesBatch, nftablesMessage } from './nftables-batch.ts';
import { counter } from './nftables-expression.ts';
import {
  acknowledgmentKeys,
  acknowledgmentSet,
  type Chain,
  chainsOf,
  droppedCounter,
  errorSet,
  formsOf,
  heldForms,
  holdChain,
  icmpErrorTypes,
  mapName,
  ownedSet,
  type RuleSetOptions,
  watchedName,
} from './nftables-rule-set.ts';
import { SetElements } from './nftables-set-elements.ts';

export interface TableOptions extends RuleSetOptions {
  readonly capacity: number;
  readonly counters: boolean;
}

/** The chain whose rules only carry notes for the next process. */
export const notesChain = 'notes';

export function addTable(batch: NftablesBatch, family: IpFamily, table: string, options: TableOptions): void {
  const add = (message: number, attributes: readonly Attribute[], label: string): void =>
    batch.add(message, netlinkFlag.create, family, attributes, label);
  const addSet = (name: string, keyType: number, keyLength: number, more: readonly Attribute[]): void =>
    add(
      nftablesMessage.newSet,
      [
        [NFTA_SET_TABLE, table],
        [NFTA_SET_NAME, name],
        [NFTA_SET_KEY_TYPE, keyType],
        [NFTA_SET_KEY_LEN, keyLength],
        [NFTA_SET_ID, setIds++],
        ...more,
      ],
      `set ${name}`,
    );
  const owned = options.addresses.flatMap((text) => parseIpAddress(text) ?? []);
  const addressLength = family === 4 ? 4 : 16;
  const addressType = family === 4 ? TYPE_IPADDR : TYPE_IP6ADDR;
  let setIds = 1;

  add(nftablesMessage.newTable, [[NFTA_TABLE_NAME, table]], `table ${table}`);
  add(
    nftablesMessage.newObject,
    [
      [NFTA_OBJ_TABLE, table],
      [NFTA_OBJ_NAME, droppedCounter],
      [NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER],
      [NFTA_OBJ_DATA, []],
    ],
    `counter ${droppedCounter}`,
  );
  addSet(ownedSet, addressType, addressLength, [[NFTA_SET_FLAGS, 0]]);
  addElements(
    batch,
    family,
    table,
    ownedSet,
    owned.filter(({ length }) => length === addressLength),
  );
  addSet(errorSet, family === 4 ? TYPE_ICMP_TYPE : TYPE_ICMP6_TYPE, 1, [[NFTA_SET_FLAGS, 0]]);
  addElements(
    batch,
    family,
    table,
    errorSet,
    icmpErrorTypes(family).map((type) => Uint8Array.of(type)),
  );
  const keyType = (addressType << 12) | (addressType << 6) | TYPE_INET_SERVICE;
  const dataType = (TYPE_MARK << 18) | (addressType << 12) | (addressType << 6) | TYPE_MARK;
  for (const form of formsOf(options.placement)) {
    addSet(mapName(form), keyType, 2 * addressLength + 4, [
      [NFTA_SET_FLAGS, NFT_SET_MAP],
      [NFTA_SET_DATA_TYPE, dataType],
      [NFTA_SET_DATA_LEN, 2 * addressLength + 8],
      // A set of known size gets a table of fixed size, which is faster than one that grows (docs/userplane.md).
      [NFTA_SET_DESC, [[NFTA_SET_DESC_SIZE, options.capacity]]],
      ...(options.counters ? [[NFTA_SET_EXPR, counter()] as const] : []),
    ]);
  }
  for (const chain of chainsOf(family, options)) addChain(batch, family, table, chain);
}

function addElements(
  batch: NftablesBatch,
  family: IpFamily,
  table: string,
  set: string,
  keys: readonly Uint8Array[],
): void {
  const elements = new SetElements(table, set, keys[0]?.length ?? 0);
  for (const key of keys) {
    const at = elements.append();
    elements.octets.set(key, at + elements.keyOffset);
  }
  batch.addElements(nftablesMessage.newElement, family, elements, `elements of ${set}`);
}

/** Sets of the flows whose packets are to wait, and the chain that holds them, ahead of translation. */
export function addHold(
  batch: NftablesBatch,
  family: IpFamily,
  table: string,
  point: 'prerouting' | 'output',
  queue: number,
  by: 'nftables' | 'iptables',
): void {
  const addressType = family === 4 ? TYPE_IPADDR : TYPE_IP6ADDR;
  batch.add(nftablesMessage.newTable, netlinkFlag.create, family, [[NFTA_TABLE_NAME, table]], 'table');
  const addSet = (name: string, keyType: number, keyLength: number, id: number): void =>
    batch.add(
      nftablesMessage.newSet,
      netlinkFlag.create,
      family,
      [
        [NFTA_SET_TABLE, table],
        [NFTA_SET_NAME, name],
        [NFTA_SET_FLAGS, 0],
        [NFTA_SET_KEY_TYPE, keyType],
        [NFTA_SET_KEY_LEN, keyLength],
        [NFTA_SET_ID, id],
      ],
      `set ${name}`,
    );
  const keyType = (addressType << 12) | (addressType << 6) | TYPE_INET_SERVICE;
  const flowSets = heldForms.flatMap((form) => [mapName(form), watchedName(form)]);
  for (const [index, name] of flowSets.entries())
    addSet(name, keyType, (family === 4 ? 8 : 32) + 4, index + 1);
  addSet(acknowledgmentSet, (TYPE_INTEGER << 6) | TYPE_INTEGER, 8, flowSets.length + 1);
  addElements(batch, family, table, acknowledgmentSet, acknowledgmentKeys(family));
  addChain(batch, family, table, holdChain(family, point, queue, by));
}

/** Notes are rules without effect in a chain that nothing enters. */
export function addNotes(
  batch: NftablesBatch,
  family: IpFamily,
  table: string,
  notes: readonly string[],
): void {
  addChain(batch, family, table, { name: notesChain, rules: [] });
  for (const note of notes) {
    const userData = new TextEncoder().encode(note);
    const attributes: Attribute[] = [
      [NFTA_RULE_TABLE, table],
      [NFTA_RULE_CHAIN, notesChain],
      [NFTA_RULE_EXPRESSIONS, []],
      [NFTA_RULE_USERDATA, userData],
    ];
    const flags = netlinkFlag.create | netlinkFlag.append;
    batch.add(nftablesMessage.newRule, flags, family, attributes, `note "${note}"`);
  }
}

export function tableNameAttribute(table: string): Attribute {
  return [NFTA_TABLE_NAME, table];
}

/** Takes the table away with all that is in it, whether it is there or not. */
export function deleteTable(batch: NftablesBatch, family: IpFamily, table: string): void {
  // Deleting what is not there is refused, and making what is there is not.
  const attributes: Attribute[] = [[NFTA_TABLE_NAME, table]];
  batch.add(nftablesMessage.newTable, netlinkFlag.create, family, attributes, `table ${table}`);
  batch.add(nftablesMessage.deleteTable, 0, family, attributes, `delete table ${table}`);
}

export function addChain(
  batch: NftablesBatch,
  family: IpFamily,
  table: string,
  { name, hook, rules }: Chain,
): void {
  const hooked: Attribute[] = hook
    ? [
        [
          NFTA_CHAIN_HOOK,
          [
            [NFTA_HOOK_HOOKNUM, hookNumbers[hook.point]],
            [NFTA_HOOK_PRIORITY, (PRIORITY - (hook.isAhead ? 1 : 0)) >>> 0],
          ],
        ],
        [NFTA_CHAIN_TYPE, hook.type],
        [NFTA_CHAIN_POLICY, NF_ACCEPT],
      ]
    : [];
  const chain: Attribute[] = [[NFTA_CHAIN_TABLE, table], [NFTA_CHAIN_NAME, name], ...hooked];
  batch.add(nftablesMessage.newChain, netlinkFlag.create, family, chain, `chain ${name}`);
  for (const [index, rule] of rules.entries()) {
    const attributes: Attribute[] = [
      [NFTA_RULE_TABLE, table],
      [NFTA_RULE_CHAIN, name],
      [NFTA_RULE_EXPRESSIONS, rule.map((expression) => [NFTA_LIST_ELEM, expression] as const)],
    ];
    const flags = netlinkFlag.create | netlinkFlag.append;
    batch.add(nftablesMessage.newRule, flags, family, attributes, `rule ${index + 1} of ${name}`);
  }
}

/** Behind the putting together of fragments (−400), ahead of connection tracking (−200) and of what firewalls do (−150 and up). */
const PRIORITY = -310;
/** enum nf_inet_hooks */
const hookNumbers = { prerouting: 0, forward: 2, output: 3 } as const;
const NF_ACCEPT = 1;
const NFTA_LIST_ELEM = 1;
const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_RULE_USERDATA = 7;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DATA_LEN = 7;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_EXPR = 17;
const NFTA_SET_DESC_SIZE = 1;
const NFT_SET_MAP = 0x8;
const NFTA_OBJ_TABLE = 1;
const NFTA_OBJ_NAME = 2;
const NFTA_OBJ_TYPE = 3;
const NFTA_OBJ_DATA = 4;
const NFT_OBJECT_COUNTER = 1;
/** Data types by the nft program's numbering; the kernel only keeps them, so that `nft list ruleset` shows addresses as such. */
const TYPE_INTEGER = 4;
const TYPE_IPADDR = 7;
const TYPE_IP6ADDR = 8;
const TYPE_INET_SERVICE = 13;
const TYPE_ICMP_TYPE = 14;
const TYPE_MARK = 19;
const TYPE_ICMP6_TYPE = 29;
