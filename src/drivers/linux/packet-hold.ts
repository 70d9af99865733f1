/**
 * Makes packets of given flows wait where they come in, ahead of translation (mobile-node/handover-manager/downlink-hold.ts): a chain
 * hands them to a netlink queue (linux/netfilter/nfnetlink_queue.h), in which they stay inside the kernel, and one verdict lets all of them
 * go on in their order. What does not fit the queue goes on at once, and everything does when this process is gone.
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import type { FlowKey } from '../../translation/translation-operation.ts';
import { NetlinkWriter } from './netlink-message.ts';
import { NETLINK_NETFILTER, type NetlinkRefusal, NetlinkSocket, netlinkFlag } from './netlink-socket.ts';
import {
  type Attribute,
  type IpFamily,
  NftablesBatch,
  nftablesMessage,
  writeAttributes,
} from './nftables-batch.ts';
import { appendElement, elementKeysOf, heldForms } from './nftables-rule-set.ts';
import { addHold, deleteTable } from './nftables-table.ts';
import { growReceiveBuffer } from './packet-socket.ts';
import { setSocketOption } from './system-calls.ts';

/** 1 s of full packets at 25 Mbit/s; beyond, order is not worth the memory. */
const queueLength = 2048;
/** A packet that was on its way into the queue while its flow was let go is there by then. */
const stragglerMs = 10;

export class PacketHold {
  /** False: this kernel has no netlink queue, and packets never wait. */
  readonly isAvailable: boolean;
  readonly #family: IpFamily;
  readonly #table: string;
  readonly #queue: number;
  readonly #nftables = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #packets = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #batch = new NftablesBatch(this.#nftables);
  #held: readonly FlowKey[] = [];
  #stragglers: NodeJS.Timeout | undefined;

  /** In the network namespace of the calling thread; takes leftovers of the same instance away first. */
  constructor({ instance, family }: { readonly instance: string; readonly family: IpFamily }) {
    this.#family = family;
    this.#table = `trimaran-${instance}-hold`;
    this.#queue = queueNumberOf(instance);
    // Without anybody listening the chain lets everything pass.
    this.isAvailable = (this.#install('nftables') || this.#install('iptables')) && this.#listen();
  }

  hold(flows: readonly FlowKey[]): void {
    if (!this.isAvailable) return;
    this.pass();
    this.#changeElements(nftablesMessage.newElement, flows);
    this.#held = flows;
  }

  /** What waits goes first, then the flows are free: what comes in between the two waits for microseconds. */
  pass(): void {
    if (this.#held.length === 0) return;
    const flows = this.#held;
    this.#held = [];
    this.#accept();
    this.#changeElements(nftablesMessage.deleteElement, flows);
    this.#accept();
    clearTimeout(this.#stragglers);
    this.#stragglers = setTimeout(() => this.#accept(), stragglerMs).unref();
  }

  close(): void {
    this.pass();
    clearTimeout(this.#stragglers);
    deleteTable(this.#batch, this.#family, this.#table);
    this.#batch.commit();
    if (this.isAvailable) this.#accept();
    this.#packets.close();
    this.#nftables.close();
  }

  #install(by: 'nftables' | 'iptables'): boolean {
    deleteTable(this.#batch, this.#family, this.#table);
    addHold(this.#batch, this.#family, this.#table, this.#queue, by);
    try {
      this.#batch.commit();
      return true;
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      return false;
    }
  }

  /** False where the kernel has no queues, or somebody else has this one. */
  #listen(): boolean {
    growReceiveBuffer(this.#packets.fd, 4_000_000);
    // The kernel's word of a packet may get lost; the packet then goes on at once.
    setSocketOption(this.#packets.fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
    const flags = NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO;
    const refusals = [
      ...this.#request(NFQNL_MSG_CONFIG, [[NFQA_CFG_CMD, Uint8Array.of(NFQNL_CFG_CMD_BIND, 0, 0, 0)]]),
      ...this.#request(NFQNL_MSG_CONFIG, [
        [NFQA_CFG_PARAMS, Uint8Array.of(0, 0, 0, 0, NFQNL_COPY_META)],
        [NFQA_CFG_QUEUE_MAXLEN, queueLength],
        [NFQA_CFG_MASK, flags],
        [NFQA_CFG_FLAGS, flags],
      ]),
    ];
    // They are let go all at once, so nobody needs to know which there are.
    this.#packets.watch(() => {});
    return refusals.length === 0;
  }

  #changeElements(message: number, flows: readonly FlowKey[]): void {
    for (const form of heldForms) {
      const elements = elementKeysOf(this.#table, this.#family, form);
      for (const flow of flows) if (flow.portOf === form.portOf) appendElement(elements, flow);
      this.#batch.addElements(message, this.#family, elements, 'held flows');
    }
    this.#batch.commit();
  }

  /** Of all that wait: the kernel compares numbers of packets modulo 2^32, and it numbers them from 1 on. */
  #accept(): void {
    this.#request(NFQNL_MSG_VERDICT_BATCH, [[NFQA_VERDICT_HDR, uint32Pair(NF_ACCEPT, 0x7fff_ffff)]]);
  }

  /** What the kernel refuses: a verdict, when nothing waits for it. */
  #request(message: number, attributes: readonly Attribute[]): readonly NetlinkRefusal[] {
    const writer = new NetlinkWriter(128);
    const header = Uint8Array.of(0, 0, this.#queue >> 8, this.#queue & 255);
    const sequence = this.#packets.nextSequence();
    const type = (NFNL_SUBSYS_QUEUE << 8) | message;
    writer.beginMessage(type, netlinkFlag.request | netlinkFlag.ack, sequence, header);
    writeAttributes(writer, attributes);
    writer.endMessage();
    return this.#packets.transact(writer, sequence);
  }
}

/** One of 4,096 by the instance's name, as with the group for ICMP errors: a queue has one listener per network namespace. */
function queueNumberOf(instance: string): number {
  let hash = 0;
  for (const character of instance) hash = (31 * hash + (character.codePointAt(0) ?? 0)) & 0xfff;
  return 0x7000 | hash;
}

function uint32Pair(first: number, second: number): Uint8Array {
  const octets = new Uint8Array(8);
  const view = new DataView(octets.buffer);
  view.setUint32(0, first);
  view.setUint32(4, second);
  return octets;
}

const SOL_NETLINK = 270;
const NETLINK_NO_ENOBUFS = 5;
const NFNL_SUBSYS_QUEUE = 3;
const NFQNL_MSG_CONFIG = 2;
const NFQNL_MSG_VERDICT_BATCH = 3;
const NFQA_CFG_CMD = 1;
const NFQA_CFG_PARAMS = 2;
const NFQA_CFG_QUEUE_MAXLEN = 3;
const NFQA_CFG_MASK = 4;
const NFQA_CFG_FLAGS = 5;
const NFQA_CFG_F_FAIL_OPEN = 1;
const NFQA_CFG_F_GSO = 4;
const NFQNL_CFG_CMD_BIND = 1;
const NFQNL_COPY_META = 1;
const NFQA_VERDICT_HDR = 2;
const NF_ACCEPT = 1;
