/**
 * Datagrams that leave by one UDP socket, gathered for one sendmmsg(2). Datagrams in a row to the same destination and of the same length
 * (the last may be shorter) make one message, which the kernel cuts up below IP (UDP_SEGMENT, udp(7)): at that price a gigabit stream goes
 * out in packets (docs/userplane.md). Where a device cannot do that, every datagram goes by itself.
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import { PacketMemory, vectorOctets, writeVector } from './packet-memory.ts';
import { AF_INET, sendMessages } from './system-calls.ts';

/** IPv4 address and port as numbers. */
export interface Destination {
  readonly address: number;
  readonly port: number;
}

export interface SendFailure {
  readonly destination: Destination;
  /** Name of the errno; 'EAGAIN' when the socket's queue was full. */
  readonly code: string;
  readonly datagrams: number;
}

export class SegmentedDatagrams {
  readonly fd: number;
  readonly #onFailure: (failure: SendFailure) => void;
  readonly #memory = new PacketMemory(VECTORS_AT + vectorLimit * vectorOctets);
  readonly #view = this.#memory.view;
  readonly #messages: Message[] = Array.from({ length: messageLimit }, newMessage);
  #messageCount = 0;
  #vectorCount = 0;
  #canSegment = true;

  constructor(fd: number, onFailure: (failure: SendFailure) => void) {
    this.fd = fd;
    this.#onFailure = onFailure;
    for (let index = 0; index < messageLimit; index++) this.#prepare(index);
  }

  /** Adds a datagram of one piece of memory, or of two when `secondLength` is not 0. Sends by itself what would be too many. */
  add(
    destination: Destination,
    memory: PacketMemory,
    first: number,
    firstLength: number,
    second = 0,
    secondLength = 0,
  ): void {
    if (this.#vectorCount + 2 > vectorLimit) this.send();
    const length = firstLength + secondLength;
    const message = this.#messageFor(destination, length);
    this.#addVector(message, memory, first, firstLength);
    if (secondLength > 0) this.#addVector(message, memory, second, secondLength);
    message.datagrams++;
    message.length += length;
    if (length < message.segment) message.isOpen = false;
  }

  /** Sends everything. What cannot be sent is lost, as on a line, and reported. */
  send(): void {
    const count = this.#messageCount;
    for (let index = 0; index < count; index++) this.#finish(index, this.#messages[index] as Message);
    for (let sent = 0; sent < count; ) {
      const code = this.#try(sent, count - sent);
      if (typeof code === 'number') sent += code;
      else this.#recover(this.#messages[sent++] as Message, code);
    }
    this.#messageCount = 0;
    this.#vectorCount = 0;
  }

  #messageFor(destination: Destination, length: number): Message {
    const last = this.#messageCount === 0 ? undefined : this.#messages[this.#messageCount - 1];
    if (
      last?.isOpen === true &&
      last.destination === destination &&
      length <= last.segment &&
      last.length + length <= longestMessage &&
      last.datagrams < segmentLimit
    )
      return last;
    if (this.#messageCount === messageLimit) this.send();
    const message = this.#messages[this.#messageCount++] as Message;
    message.destination = destination;
    message.firstVector = this.#vectorCount;
    message.vectors = 0;
    message.datagrams = 0;
    message.length = 0;
    message.segment = length;
    message.isOpen = this.#canSegment;
    return message;
  }

  #addVector(message: Message, memory: PacketMemory, offset: number, length: number): void {
    writeVector(this.#view, VECTORS_AT + this.#vectorCount++ * vectorOctets, memory, offset, length);
    message.vectors++;
  }

  /** Pointers that never change: to name and control message of each struct msghdr. */
  #prepare(index: number): void {
    const header = index * HEADER;
    this.#memory.writePointer(this.#view, header, NAMES_AT + index * NAME);
    this.#view.setUint32(header + 8, 16, true);
    const control = CONTROLS_AT + index * CONTROL;
    this.#memory.writePointer(this.#view, header + 32, control);
    this.#view.setUint32(control, 18, true);
    this.#view.setUint32(control + 8, SOL_UDP, true);
    this.#view.setUint32(control + 12, UDP_SEGMENT, true);
  }

  #finish(index: number, message: Message): void {
    this.#aim(index, message.destination, message.firstVector, message.vectors);
    const isSegmented = message.datagrams > 1;
    this.#view.setUint32(index * HEADER + 40, isSegmented ? CONTROL : 0, true);
    this.#view.setUint16(CONTROLS_AT + index * CONTROL + 16, message.segment, true);
  }

  #aim(index: number, { address, port }: Destination, firstVector: number, vectors: number): void {
    const name = NAMES_AT + index * NAME;
    this.#view.setUint16(name, AF_INET, true);
    this.#view.setUint16(name + 2, port);
    this.#view.setUint32(name + 4, address);
    const header = index * HEADER;
    this.#memory.writePointer(this.#view, header + 16, VECTORS_AT + firstVector * vectorOctets);
    this.#view.setUint32(header + 24, vectors, true);
  }

  /** How many messages went, or why the first did not. */
  #try(from: number, count: number): number | string {
    try {
      return sendMessages(this.fd, this.#memory.addressOf(from * HEADER), count, MSG_DONTWAIT) ?? 'EAGAIN';
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      return error.code;
    }
  }

  /** EIO: the device cannot sum the datagrams of a segmented message. */
  #recover(message: Message, code: string): void {
    if (code !== 'EIO' || message.datagrams === 1) {
      this.#onFailure({ destination: message.destination, code, datagrams: message.datagrams });
      return;
    }
    this.#canSegment = false;
    let [vector, left] = [message.firstVector, message.vectors];
    while (left > 0) {
      const count = this.#vectorsOfOneDatagram(vector, left, message.segment);
      // The headers of messages that went already are free.
      this.#aim(0, message.destination, vector, count);
      this.#view.setUint32(40, 0, true);
      const result = this.#try(0, 1);
      if (typeof result === 'string')
        this.#onFailure({ destination: message.destination, code: result, datagrams: 1 });
      vector += count;
      left -= count;
    }
  }

  #vectorsOfOneDatagram(first: number, limit: number, segment: number): number {
    let [count, length] = [0, 0];
    while (count < limit && length < segment)
      length += this.#view.getUint32(VECTORS_AT + (first + count++) * vectorOctets + 8, true);
    return count;
  }
}

interface Message {
  destination: Destination;
  firstVector: number;
  vectors: number;
  datagrams: number;
  length: number;
  /** Length of every datagram but the last. */
  segment: number;
  isOpen: boolean;
}

function newMessage(): Message {
  const destination = { address: 0, port: 0 };
  return { destination, firstVector: 0, vectors: 0, datagrams: 0, length: 0, segment: 0, isOpen: false };
}

const messageLimit = 64;
const vectorLimit = 4096;
/** UDP_MAX_SEGMENTS of the kernels before 6.10. */
const segmentLimit = 64;
/** What an IPv4 datagram of 65,535 octets leaves beside its headers. */
const longestMessage = 65_507;
/** struct mmsghdr; struct sockaddr_in; struct cmsghdr with a 16-bit length. */
const [HEADER, NAME, CONTROL] = [64, 16, 24];
const NAMES_AT = messageLimit * HEADER;
const CONTROLS_AT = NAMES_AT + messageLimit * NAME;
const VECTORS_AT = CONTROLS_AT + messageLimit * CONTROL;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const MSG_DONTWAIT = 0x40;
