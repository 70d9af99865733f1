/**
 * What an access router does to packets besides passing them on, in virtual time: strict source filtering (RFC 3704 §2.2) and address
 * translation with connection tracking (RFC 3022; endpoint-dependent mapping and filtering, ports kept where they are free, as Linux's
 * masquerading does). Leaves out time-outs of mappings.
 */
import { formatTransportAddress } from '../base/network.ts';
import type { VirtualPacket } from './virtual-packet.ts';

export interface AccessRouterOptions {
  /** The address of the link's host: anything else as source is dropped. */
  readonly strictSource?: string;
  /** The address that packets leave with. */
  readonly natAddress?: string;
}

interface Mapping {
  readonly inside: string;
  readonly insidePort: number;
  readonly outsidePort: number;
}

export class VirtualAccessRouter {
  readonly #options: AccessRouterOptions;
  readonly #byFlow = new Map<string, Mapping>();
  readonly #byAnswer = new Map<string, Mapping>();
  /** Packets whose source was none of the link's. */
  filtered = 0;

  constructor(options: AccessRouterOptions) {
    this.#options = options;
  }

  /** From the link to the network; undefined when it is dropped. */
  outbound(packet: VirtualPacket): VirtualPacket | undefined {
    const { strictSource, natAddress } = this.#options;
    if (strictSource !== undefined && packet.source !== strictSource) {
      this.filtered++;
      return undefined;
    }
    if (natAddress === undefined) return packet;
    const { outsidePort } = this.#mappingOf(packet);
    return { ...packet, source: natAddress, sourcePort: outsidePort };
  }

  /** From the network to the link; undefined when no flow from inside is answered by it. */
  inbound(packet: VirtualPacket): VirtualPacket | undefined {
    if (this.#options.natAddress === undefined) return packet;
    const mapping = this.#byAnswer.get(answerKey(packet, packet.destinationPort));
    return mapping && { ...packet, destination: mapping.inside, destinationPort: mapping.insidePort };
  }

  #mappingOf(packet: VirtualPacket): Mapping {
    const { source, sourcePort, destination, destinationPort, content } = packet;
    const remote = formatTransportAddress({ address: destination, port: destinationPort });
    const flow = `${content.protocol} ${source}:${sourcePort} ${remote}`;
    const known = this.#byFlow.get(flow);
    if (known !== undefined) return known;
    const answer = (port: number): string =>
      answerKey({ source: destination, sourcePort: destinationPort, content }, port);
    let outsidePort = sourcePort;
    while (this.#byAnswer.has(answer(outsidePort))) outsidePort++;
    const mapping = { inside: source, insidePort: sourcePort, outsidePort };
    this.#byFlow.set(flow, mapping);
    this.#byAnswer.set(answer(outsidePort), mapping);
    return mapping;
  }
}

function answerKey(
  { source, sourcePort, content }: Pick<VirtualPacket, 'source' | 'sourcePort' | 'content'>,
  port: number,
): string {
  return `${content.protocol} ${source}:${sourcePort} ${port}`;
}
