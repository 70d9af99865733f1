/**
 * The kernel's packet translator in virtual time (TRIM fig. 2 and 3(b)): the same operations, the same state
 * (translation/translation-table.ts), applied to packets as values. ICMP errors are not translated.
 */
import {
  type FlowKey,
  formatFlowKey,
  type TranslationOperation,
  type TransportProtocol,
} from '../translation/translation-operation.ts';
import { type AddressSet, TranslationTable } from '../translation/translation-table.ts';
import { keyOf, type VirtualPacket } from './virtual-packet.ts';

export class VirtualTranslator {
  readonly #table: TranslationTable;
  #watched: ReadonlySet<string> = new Set();
  #onUsed: () => void = () => {};

  /** The addresses that belong to translation alone, of a home network's translator. */
  constructor(ownAddresses: AddressSet) {
    this.#table = new TranslationTable(ownAddresses);
  }

  apply(operations: readonly TranslationOperation[]): void {
    this.#table.apply(operations);
  }

  /** Calls `onUsed` once, when the first packet of one of the flows has been translated. Replaces an earlier watch. */
  watch(flows: readonly FlowKey[], onUsed: () => void): void {
    this.#watched = new Set(flows.map(formatFlowKey));
    this.#onUsed = onUsed;
  }

  /** The packet with the fields of its flow's version; undefined when it belongs to no flow. */
  translate(packet: VirtualPacket): VirtualPacket | undefined {
    if (this.#table.size === 0 || packet.content.protocol === 'icmp') return undefined;
    const { protocol } = packet.content;
    const version = this.#find(packet, protocol, 'destination') ?? this.#find(packet, protocol, 'source');
    return version && { ...packet, ...version.rewrite };
  }

  #find(packet: VirtualPacket, protocol: TransportProtocol, portOf: 'source' | 'destination') {
    const key = keyOf(packet, protocol, portOf);
    const version = this.#table.find(key);
    if (version !== undefined && this.#watched.has(formatFlowKey(key))) {
      this.#watched = new Set();
      this.#onUsed();
    }
    return version;
  }
}
