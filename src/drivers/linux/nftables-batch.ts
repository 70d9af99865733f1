/**
 * nftables' side of netlink (linux/netfilter/nf_tables.h): tables, chains, rules, sets and their elements, gathered into one
 * transaction that the kernel carries out as a whole or not at all. Everything is written as attributes given as data, so that a
 * rule set is a value. Leaves out what rules mean (nftables-expression.ts) and which ones there are (nftables-rule-set.ts).
 */
import type { TrimaranError } from '../../base/trimaran-error.ts';
import { NetlinkWriter } from './netlink-message.ts';
import { type NetlinkSocket, netlinkFlag, refusalError } from './netlink-socket.ts';
import type { SetElements } from './nftables-set-elements.ts';
import { AF_INET, AF_INET6 } from './system-calls.ts';

/** An attribute: numbers are 32 bits, bigints 64 bits, both in network order; text ends with a zero; lists nest. */
export type Attribute = readonly [
  type: number,
  value: number | bigint | string | Uint8Array | readonly Attribute[],
];

/** The messages of nftables, enum nf_tables_msg_types. */
export const nftablesMessage = {
  newTable: 0,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  getRule: 7,
  newSet: 9,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
  newObject: 18,
  getObject: 19,
} as const;

export type IpFamily = 4 | 6;

/** struct nfgenmsg. */
export function familyHeader(family: IpFamily | 0, resource = 0): Uint8Array {
  const code = family === 4 ? AF_INET : family === 6 ? AF_INET6 : 0;
  return Uint8Array.of(code, 0, resource >> 8, resource & 255);
}

/** The netlink message type of an nftables message. */
export function messageType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}

export function writeAttributes(writer: NetlinkWriter, attributes: readonly Attribute[]): void {
  for (const [type, value] of attributes) {
    if (typeof value === 'number') writer.uint32BigEndian(type, value);
    else if (typeof value === 'bigint') writer.attribute(type, uint64(value));
    else if (typeof value === 'string') writer.text(type, value);
    else if (value instanceof Uint8Array) writer.attribute(type, value);
    else writer.nest(type, () => writeAttributes(writer, value as readonly Attribute[]));
  }
}

export class NftablesBatch {
  readonly #socket: NetlinkSocket;
  readonly #writer = new NetlinkWriter(65536);
  /** What each message asks for, by its place in the batch. */
  readonly #labels: string[] = [];
  #firstSequence = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.#begin();
  }

  get isEmpty(): boolean {
    return this.#labels.length === 0;
  }

  /** Any message; `label` says in an error what was asked for. */
  add(
    message: number,
    flags: number,
    family: IpFamily,
    attributes: readonly Attribute[],
    label: string,
  ): void {
    this.#beginMessage(message, flags, family, label);
    writeAttributes(this.#writer, attributes);
    this.#writer.endMessage();
  }

  /** Adds or deletes elements, in as many messages as their number needs. */
  addElements(message: number, family: IpFamily, elements: SetElements, label: string): void {
    const flags = message === nftablesMessage.newElement ? netlinkFlag.create | netlinkFlag.exclusive : 0;
    for (let from = 0; from < elements.end; ) {
      this.#beginMessage(message, flags, family, label);
      from = elements.writeTo(this.#writer, from);
      this.#writer.endMessage();
    }
  }

  /** Carries out the transaction; it is in force when this returns. Throws the first refusal, with nothing changed. */
  commit(): void {
    if (this.isEmpty) return;
    // The last message asks for the acknowledgement: batch ends acknowledge only since Linux 6.10.
    const last = this.#socket.lastSequence;
    this.#writer.orFlags(netlinkFlag.ack);
    this.#beginMessageOfSubsystem(NFNL_MSG_BATCH_END);
    this.#writer.endMessage();
    try {
      const [refusal] = this.#socket.transact(this.#writer, last);
      const label = refusal && (this.#labels[refusal.sequence - this.#firstSequence - 1] ?? 'commit');
      if (refusal) throw refusalError(refusal, `nftables: ${label}`) satisfies TrimaranError;
    } finally {
      this.#begin();
    }
  }

  #begin(): void {
    this.#writer.clear();
    this.#labels.length = 0;
    this.#firstSequence = this.#beginMessageOfSubsystem(NFNL_MSG_BATCH_BEGIN);
    this.#writer.endMessage();
  }

  #beginMessageOfSubsystem(type: number): number {
    const sequence = this.#socket.nextSequence();
    this.#writer.beginMessage(type, netlinkFlag.request, sequence, familyHeader(0, NFNL_SUBSYS_NFTABLES));
    return sequence;
  }

  #beginMessage(message: number, flags: number, family: IpFamily, label: string): void {
    this.#labels.push(label);
    const sequence = this.#socket.nextSequence();
    this.#writer.beginMessage(
      messageType(message),
      netlinkFlag.request | flags,
      sequence,
      familyHeader(family),
    );
  }
}

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

function uint64(value: bigint): Uint8Array {
  const octets = new Uint8Array(8);
  new DataView(octets.buffer).setBigUint64(0, value);
  return octets;
}
