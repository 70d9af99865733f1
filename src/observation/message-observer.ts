/**
 * Turns the octets that pass a host into trace entries, without the network function knowing: datagrams are messages, byte streams
 * are cut into messages by the framers of SIP and Diameter.
 */
import type { Instant } from '../base/instant.ts';
import { isMalformed } from '../base/malformed.ts';
import { formatTransportAddress } from '../base/network.ts';
import type { TraceEntry } from '../base/trace.ts';
import { MessageFramer } from '../protocols/diameter/message-framer.ts';
import { isTunnelData } from '../protocols/mobile-ip/tunnel-data.ts';
import { StreamFramer } from '../protocols/sip/message/stream-framer.ts';
import { type MessageSummary, protocolOf, summarizeDiameter, summarizeSip } from './message-summary.ts';
import { summarizeMobileIp } from './mobile-ip-summary.ts';
import type { ObservedOctets } from './observed-octets.ts';

/** Streams, per direction, that are followed at the same time; the oldest is given up. Twice the accepted connections of a host. */
const maximumStreams = 2048;

export class MessageObserver {
  readonly #node: string;
  readonly #streams = new Map<string, StreamReader>();

  /** `node` is the name under which the entries go. */
  constructor(node: string) {
    this.#node = node;
  }

  /** The messages that these octets are, or complete. */
  observe(octets: ObservedOctets, at: Instant): TraceEntry[] {
    const local = formatTransportAddress(octets.local);
    const remote = formatTransportAddress(octets.remote);
    const [from, to] = octets.direction === 'sent' ? [local, remote] : [remote, local];
    const transport = octets.connection === undefined ? 'udp' : 'tcp';
    return this.#messagesIn(octets).map((message) => ({
      at,
      node: this.#node,
      direction: octets.direction,
      protocol: message.protocol,
      transport,
      from,
      to,
      summary: message.summary,
      details: message.details,
    }));
  }

  #messagesIn(octets: ObservedOctets): MessageSummary[] {
    if (octets.connection === undefined) return messagesInDatagram(octets);
    const key = `${octets.direction} ${octets.connection}`;
    let reader = this.#streams.get(key);
    if (reader === undefined) {
      reader = readerFor(octets.payload);
      this.#streams.set(key, reader);
      if (this.#streams.size > maximumStreams) this.#forgetOldest();
    }
    return reader(octets.payload);
  }

  #forgetOldest(): void {
    for (const key of this.#streams.keys()) {
      this.#streams.delete(key);
      return;
    }
  }
}

/** UDP 434 carries tunnelled packets too (RFC 3519 §4.4), which are no messages. */
function messagesInDatagram({ local, remote, payload }: ObservedOctets): MessageSummary[] {
  if (local.port === mobileIpPort || remote.port === mobileIpPort)
    return isTunnelData(payload) ? [] : [summarizeMobileIp(payload)];
  return protocolOf(payload[0]) === 'sip' ? [summarizeSip(payload)] : [];
}

/** RFC 5944 §3.3: registrations go to this port of the agent. */
const mobileIpPort = 434;

type StreamReader = (octets: Uint8Array) => MessageSummary[];

/** A stream is what its first octets say; one that cannot be cut any more stays silent, as its owner closes it. */
function readerFor(firstOctets: Uint8Array): StreamReader {
  switch (protocolOf(firstOctets[0])) {
    case 'sip':
      return sipReader();
    case 'diameter':
      return diameterReader();
    default:
      return () => [];
  }
}

function sipReader(): StreamReader {
  const framer = new StreamFramer();
  return (octets) => {
    framer.push(octets);
    const messages: MessageSummary[] = [];
    for (
      let frame = framer.pollFrame();
      frame !== undefined && !isMalformed(frame);
      frame = framer.pollFrame()
    )
      if (frame.kind === 'message') messages.push(summarizeSip(frame.octets));
    return messages;
  };
}

function diameterReader(): StreamReader {
  const framer = new MessageFramer();
  return (octets) => {
    framer.push(octets);
    const messages: MessageSummary[] = [];
    for (let frame = framer.next(); frame !== undefined && !isMalformed(frame); frame = framer.next())
      messages.push(summarizeDiameter(frame));
    return messages;
  };
}
