/**
 * What an address translator (TRIM Fig. 2; the mobile node's own, Fig. 3(b)) is told to do, as data. The kernel's engine
 * (drivers/linux/nftables-translator.ts) and its virtual twin (packet-translator.ts) carry out the same operations.
 *
 * A flow key selects a version; a version is a set of header fields to write. A handover prepares a new version and then selects
 * it, which is one element change, so no packet is rewritten half by the old and half by the new binding.
 */

/** Version of one direction of a binding, 1 … 2^32 − 1. In the kernel it is the packet mark. */
export type Mark = number;

export type TransportProtocol = 'udp' | 'tcp';

/**
 * One direction of a flow as it arrives. The source address is part of it: a packet from anybody else to a translator address
 * matches nothing and is dropped, so nobody can latch onto a stream. The active end of a TCP connection chooses its port, which
 * nobody knows beforehand, so the key holds one port: that of the side that listens.
 */
export interface FlowKey {
  readonly family: 4 | 6;
  readonly protocol: TransportProtocol;
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly portOf: 'source' | 'destination';
}

/**
 * The fields to write; an absent one stays as it is. Where both addresses are of the other version of IP, packets change to it (RFC 7915),
 * and nothing else about the flow is different.
 */
export interface Rewrite {
  readonly source?: string;
  readonly sourcePort?: number;
  readonly destination?: string;
  readonly destinationPort?: number;
}

/** A list of operations is one transaction: all of it takes effect at once, or nothing does. */
export type TranslationOperation =
  | {
      readonly kind: 'define-version';
      readonly mark: Mark;
      /** Of the packets as they are written. */
      readonly family: 4 | 6;
      readonly protocol: TransportProtocol;
      readonly rewrite: Rewrite;
    }
  /** Adds the flow or moves it to another version. */
  | { readonly kind: 'select-version'; readonly key: FlowKey; readonly mark: Mark }
  | { readonly kind: 'deselect'; readonly key: FlowKey }
  /** Only after the packets that carry the mark have left: never in the transaction that moved the flow away from it. */
  | { readonly kind: 'forget-version'; readonly mark: Mark };

/** Equal keys give equal text. */
export function formatFlowKey(key: FlowKey): string {
  return `${key.protocol} ${key.source} > ${key.destination} ${key.portOf} port ${key.port}`;
}
