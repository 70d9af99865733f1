/**
 * Makes TCP segments of given flows wait where they come in and where programs send them, ahead of translation
 * (mobile-node/handover-manager/segment-order.ts): chains hand them to a netlink queue (linux/netfilter/nfnetlink_queue.h), in which they stay
 * inside the kernel, and one verdict lets all of them go on in their order. What does not fit the queue goes on at once, and everything does
 * when this process is gone. Segments of programs of this host do not fill it: TCP has only a few of its own under way to the link (TSQ).
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import { SegmentSequence } from '../../translation/segment-sequence.ts';
import type { FlowKey } from '../../translation/translation-operation.ts';
import { type NetlinkMessage, NetlinkWriter, readAttributes } from './netlink-message.ts';
import { NETLINK_NETFILTER, type NetlinkRefusal, NetlinkSocket, netlinkFlag } from './netlink-socket.ts';
import {
  type Attribute,
  type IpFamily,
  NftablesBatch,
  nftablesMessage,
  writeAttributes,
} from './nftables-batch.ts';
import { appendElement, elementKeysOf, heldForms, mapName, watchedName } from './nftables-rule-set.ts';
import { addHold, deleteTable } from './nftables-table.ts';
import { growReceiveBuffer } from './packet-socket.ts';
import { setSocketOption } from './system-calls.ts';
import { belongsTo, readTcpSegment, segmentHeaderOctets, type TcpSegment } from './tcp-segment.ts';

/** 1 s of full packets at 25 Mbit/s; beyond, order is not worth the memory. */
const queueLength = 2048;
/** A packet that was on its way into the queue while its flow was let go is there by then. */
const stragglerMs = 10;

export interface PacketHoldOptions {
  /** Tells several mobile nodes of one network namespace apart. */
  readonly instance: string;
  readonly family: IpFamily;
  /** Where packets come in, or where programs of this host send them. */
  readonly point: 'prerouting' | 'output';
  /** The first segment of a held flow waits. */
  readonly onFirst?: (flow: FlowKey) => void;
  /** What waits follows directly on what came in watched flows; told again until it passes. */
  readonly onComplete?: () => void;
}

export class PacketHold {
  /** False: this kernel has no netlink queue, and packets never wait. */
  readonly isAvailable: boolean;
  readonly #family: IpFamily;
  readonly #table: string;
  readonly #queue: number;
  readonly #nftables = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #packets = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #batch = new NftablesBatch(this.#nftables);
  readonly #point: PacketHoldOptions['point'];
  readonly #log = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #onFirst: PacketHoldOptions['onFirst'];
  readonly #onComplete: PacketHoldOptions['onComplete'];
  readonly #sequence = new SegmentSequence();
  #held: readonly FlowKey[] = [];
  #watched: readonly FlowKey[] = [];
  /** Held flows of which nothing has come yet. */
  #unseen: readonly FlowKey[] = [];
  #stragglers: NodeJS.Timeout | undefined;

  /** In the network namespace of the calling thread; takes leftovers of the same instance away first. */
  constructor({ instance, family, point, onFirst, onComplete }: PacketHoldOptions) {
    this.#family = family;
    this.#point = point;
    this.#onFirst = onFirst;
    this.#onComplete = onComplete;
    this.#table = `trimaran-${instance}-hold-${point}`;
    this.#queue = queueNumberOf(instance, point);
    // Without anybody listening the chain lets everything pass.
    this.isAvailable =
      (this.#install('nftables') || this.#install('iptables')) && this.#listen() && this.#listenToLog();
  }

  /**
   * Besides those that are held already. `watched`: the same connections as they come in so far, which pass. Those of the other version of IP
   * do not wait.
   */
  hold(allFlows: readonly FlowKey[], allWatched: readonly FlowKey[] = []): void {
    const isHeld = ({ family }: FlowKey): boolean => family === this.#family;
    const [flows, watched] = [allFlows.filter(isHeld), allWatched.filter(isHeld)];
    if (!this.isAvailable) return;
    this.#changeElements(nftablesMessage.newElement, flows, watched);
    this.#held = [...this.#held, ...flows];
    this.#watched = [...this.#watched, ...watched];
    this.#unseen = [...this.#unseen, ...flows];
  }

  /** What waits goes first, then the flows are free: what comes in between the two waits for microseconds. */
  pass(): void {
    if (this.#held.length === 0) return;
    const [flows, watched] = [this.#held, this.#watched];
    this.#held = [];
    this.#watched = [];
    this.#unseen = [];
    this.#sequence.clear();
    this.#accept();
    this.#changeElements(nftablesMessage.deleteElement, flows, watched);
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
    this.#log.close();
    this.#nftables.close();
  }

  #install(by: 'nftables' | 'iptables'): boolean {
    deleteTable(this.#batch, this.#family, this.#table);
    addHold(this.#batch, this.#family, this.#table, this.#point, this.#queue, by);
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
        [NFQA_CFG_PARAMS, Uint8Array.of(0, 0, 0, segmentHeaderOctets, NFQNL_COPY_PACKET)],
        [NFQA_CFG_QUEUE_MAXLEN, queueLength],
        [NFQA_CFG_MASK, flags],
        [NFQA_CFG_FLAGS, flags],
      ]),
    ];
    this.#packets.watch((message) => this.#segmentWaits(message));
    return refusals.length === 0;
  }

  /** To copies of what comes in watched flows. */
  #listenToLog(): boolean {
    growReceiveBuffer(this.#log.fd, 1_000_000);
    setSocketOption(this.#log.fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
    const mode = Uint8Array.of(0, 0, 0, segmentHeaderOctets, NFULNL_COPY_PACKET, 0);
    const refusals = [
      ...this.#request(NFULNL_MSG_CONFIG, [[NFULA_CFG_CMD, Uint8Array.of(NFULNL_CFG_CMD_BIND)]], this.#log),
      ...this.#request(NFULNL_MSG_CONFIG, [[NFULA_CFG_MODE, mode]], this.#log),
    ];
    this.#log.watch((message) => this.#segmentCame(message));
    return refusals.length === 0;
  }

  /** They are let go all at once; of each flow only the first is news. */
  #segmentWaits(message: NetlinkMessage): void {
    if (this.#unseen.length === 0) return;
    const segment = this.#segmentIn(message, NFQA_PAYLOAD);
    const flow = segment && this.#held.find((one) => belongsTo(segment, one));
    if (segment === undefined || flow === undefined) return;
    this.#sequence.waits(segment);
    if (this.#unseen.includes(flow)) this.#onFirst?.(flow);
    this.#unseen = this.#unseen.filter((one) => one !== flow);
    this.#tellIfComplete();
  }

  #segmentCame(message: NetlinkMessage): void {
    const segment = this.#watched.length === 0 ? undefined : this.#segmentIn(message, NFULA_PAYLOAD);
    if (segment === undefined) return;
    this.#sequence.came(segment);
    this.#tellIfComplete();
  }

  #segmentIn({ payload }: NetlinkMessage, attribute: number): TcpSegment | undefined {
    const packet = readAttributes(payload.subarray(nfgenmsgOctets)).get(attribute);
    return packet && readTcpSegment(packet, this.#family);
  }

  #tellIfComplete(): void {
    if (this.#sequence.isComplete) this.#onComplete?.();
  }

  #changeElements(message: number, held: readonly FlowKey[], watched: readonly FlowKey[]): void {
    for (const form of heldForms)
      for (const [set, flows] of [
        [mapName(form), held],
        [watchedName(form), watched],
      ] as const) {
        const elements = elementKeysOf(this.#table, this.#family, form, set);
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
  #request(
    message: number,
    attributes: readonly Attribute[],
    socket = this.#packets,
  ): readonly NetlinkRefusal[] {
    const writer = new NetlinkWriter(128);
    const header = Uint8Array.of(0, 0, this.#queue >> 8, this.#queue & 255);
    const sequence = socket.nextSequence();
    const type = ((socket === this.#log ? NFNL_SUBSYS_ULOG : NFNL_SUBSYS_QUEUE) << 8) | message;
    writer.beginMessage(type, netlinkFlag.request | netlinkFlag.ack, sequence, header);
    writeAttributes(writer, attributes);
    writer.endMessage();
    return socket.transact(writer, sequence);
  }
}

/** Two of 8,192 by the instance's name, as with the group for ICMP errors: a queue has one listener per network namespace. */
function queueNumberOf(instance: string, point: PacketHoldOptions['point']): number {
  let hash = 0;
  for (const character of instance) hash = (31 * hash + (character.codePointAt(0) ?? 0)) & 0xfff;
  return 0x6000 | (hash << 1) | (point === 'output' ? 1 : 0);
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
const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG_CONFIG = 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULA_PAYLOAD = 9;
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
const NFQNL_COPY_PACKET = 2;
const NFQA_PAYLOAD = 10;
const nfgenmsgOctets = 4;
const NFQA_VERDICT_HDR = 2;
const NF_ACCEPT = 1;
