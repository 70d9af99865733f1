/**
 * One netlink conversation with the kernel (RFC 3549): requests with an acknowledgement, dumps, and multicast events.
 * The kernel answers inside the send itself, so requests are synchronous: when `request` returns, the change is in force.
 * Leaves out what messages mean: rtnetlink and nftables are encoded elsewhere.
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import {
  listAttributes,
  type NetlinkMessage,
  type NetlinkWriter,
  readNetlinkMessages,
} from './netlink-message.ts';
import {
  AF_NETLINK,
  bindSocket,
  closeDescriptor,
  openSocket,
  receive,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  send,
  setSocketOption,
  systemError,
  watchReadable,
} from './system-calls.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** Flags of a request (linux/netlink.h, NLM_F_…). */
export const netlinkFlag = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

/** An errno that the kernel answered with, and to which request of the batch. */
export interface NetlinkRefusal {
  readonly sequence: number;
  readonly errno: number;
  /** The kernel's own words (extended ACK), empty when it had none. */
  readonly text: string;
}

export class NetlinkSocket {
  readonly fd: number;
  readonly #buffer = new Uint8Array(RECEIVE_OCTETS);
  #sequence = 0;
  #sendBuffer = 200_000;
  #stopWatching: (() => void) | undefined;

  /** Opens the socket in the calling thread's network namespace. `groups` is the bit mask of multicast groups 1 … 32. */
  constructor(protocol: number, groups = 0) {
    this.fd = openSocket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
    new DataView(address.buffer).setUint32(8, groups, true);
    bindSocket(this.fd, address);
    setSocketOption(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setSocketOption(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  }

  /** Sequence numbers start at 1; 0 marks what the kernel sends unasked. */
  nextSequence(): number {
    this.#sequence = this.#sequence >= 0x7fff_ffff ? 1 : this.#sequence + 1;
    return this.#sequence;
  }

  get lastSequence(): number {
    return this.#sequence;
  }

  /**
   * Sends a batch as one datagram and reads until the request `lastSequence` is acknowledged (it must carry NLM_F_ACK) or refused.
   * Returns every refusal; none means that all of it is in force.
   */
  transact(batch: NetlinkWriter, lastSequence: number): NetlinkRefusal[] {
    this.#send(batch);
    const refusals: NetlinkRefusal[] = [];
    for (;;) {
      const messages = this.#receive();
      // A refused nftables batch is answered refusal by refusal and its end not always: silence then ends it.
      if (messages === undefined) {
        if (refusals.length > 0) return refusals;
        throw new TrimaranError('NETLINK_SILENT', 'the kernel did not answer a netlink request');
      }
      for (const message of messages) {
        if (message.type !== NLMSG_ERROR) continue;
        const refusal = readRefusal(message);
        if (refusal.errno !== 0) refusals.push(refusal);
        else if (message.sequence === lastSequence) return refusals;
      }
    }
  }

  /** One request with NLM_F_ACK. Throws the kernel's refusal as a TrimaranError; `what` says in it what was asked for. */
  request(message: NetlinkWriter, what: string): void {
    const [refusal] = this.transact(message, this.#sequence);
    if (refusal) throw refusalError(refusal, what);
  }

  /** A request with NLM_F_DUMP, or one with NLM_F_ACK that is answered before it is acknowledged: everything the kernel lists. */
  dump(message: NetlinkWriter, what: string): NetlinkMessage[] {
    this.#send(message);
    const found: NetlinkMessage[] = [];
    for (;;) {
      const messages = this.#receive();
      if (messages === undefined)
        throw new TrimaranError('NETLINK_SILENT', `${what}: the kernel stopped answering`);
      for (const answer of messages) {
        if (answer.type === NLMSG_DONE) return found;
        if (answer.type === NLMSG_ERROR) {
          const refusal = readRefusal(answer);
          if (refusal.errno === 0) return found;
          throw refusalError(refusal, what);
        }
        found.push({ ...answer, payload: answer.payload.slice() });
      }
    }
  }

  /** Hands every message of the multicast groups to `onMessage` until `close`. Does not keep the process alive. */
  watch(onMessage: (message: NetlinkMessage) => void): void {
    this.#stopWatching = watchReadable(this.fd, () => {
      for (const message of this.#receive() ?? []) onMessage(message);
    });
  }

  close(): void {
    this.#stopWatching?.();
    closeDescriptor(this.fd);
  }

  #send(batch: NetlinkWriter): void {
    const octets = batch.octets();
    if (octets.length > this.#sendBuffer) this.#growSendBuffer(octets.length);
    send(this.fd, octets);
  }

  /** The default one (212 kB) refuses a large batch with EMSGSIZE. */
  #growSendBuffer(octets: number): void {
    this.#sendBuffer = octets;
    try {
      setSocketOption(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, octets);
    } catch {
      // Not in a user namespace: there it grows to what everybody may have (net.core.wmem_max).
      setSocketOption(this.fd, SOL_SOCKET, SO_SNDBUF, octets);
    }
  }

  #receive(): NetlinkMessage[] | undefined {
    const length = receive(this.fd, this.#buffer);
    return length === undefined ? undefined : readNetlinkMessages(this.#buffer.subarray(0, length));
  }
}

export function refusalError(refusal: NetlinkRefusal, what: string): TrimaranError {
  const error = systemError(what, refusal.errno);
  const text = refusal.text === '' ? error.message : `${error.message}: ${refusal.text}`;
  return new TrimaranError(error.code, text, { remedy: error.remedy });
}

const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const SO_SNDBUF = 7;
const SO_SNDBUFFORCE = 32;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
/** The kernel fills at most 32 KiB into one dump answer (NLMSG_GOODSIZE and what recvmsg asked for). */
const RECEIVE_OCTETS = 65536;

/** struct nlmsgerr: the errno negated, the refused request's header (its payload is left out by NETLINK_CAP_ACK), attributes. */
function readRefusal(message: NetlinkMessage): NetlinkRefusal {
  const view = new DataView(message.payload.buffer, message.payload.byteOffset);
  const errno = -view.getInt32(0, true);
  if (errno === 0) return { sequence: message.sequence, errno, text: '' };
  const text = listAttributes(message.payload.subarray(20)).find(
    ({ type }) => type === NLMSGERR_ATTR_MSG,
  )?.value;
  return {
    sequence: message.sequence,
    errno,
    text: text === undefined ? '' : new TextDecoder().decode(text.subarray(0, -1)),
  };
}
