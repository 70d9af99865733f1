/**
 * The bindings of a mobile node's own address translator (TRIM Fig. 3(b)): applications hold one internal address for ever, and
 * each session's packets leave with the address of the access network that carries it.
 *
 *     application i:p  [translator]  m1:p or m2:p  <-->  y:b home network's translator
 *
 * Every session receives on all accesses that it accepts and sends on one. Its mark's top 8 bits are the access index, by which
 * policy routing picks the access, so that way out and source address change together, per session.
 */
import type { TransportAddress } from '../base/network.ts';
import { FlowIndex } from './flow-index.ts';
import type { FlowKey, Mark, TranslationOperation, TransportProtocol } from './translation-operation.ts';

/** Packets with the home address, which leave through the tunnel of Mobile IP; accesses are numbered below. */
export const homeAddressIndex = 128;

/** An access network as the translator sees it. */
export interface LocalAccess {
  /** 1 … 128; the top 8 bits of the packet mark. */
  readonly index: number;
  readonly address: string;
}

export interface LocalBinding {
  readonly id: string;
  readonly family: 4 | 6;
  readonly protocol: TransportProtocol;
  /** TCP only: who opens the connection, and so picks a port that is not known. */
  readonly activeEnd?: 'mobile-node' | 'correspondent-node';
  /** The address and port that the application uses. */
  readonly application: TransportAddress;
  /** y:b */
  readonly peer: TransportAddress;
}

interface Entry {
  readonly binding: LocalBinding;
  readonly uplinkMark: Mark;
  readonly downlinkMark: Mark;
  readonly accepted: readonly LocalAccess[];
}

export class LocalBindingTable {
  readonly #entries = new Map<string, Entry>();
  /** The id of the binding that has a flow. */
  readonly #owners = new FlowIndex<string>();
  #nextVersion = 1;

  get(id: string): LocalBinding | undefined {
    return this.#entries.get(id)?.binding;
  }

  /**
   * Sends and receives over one access. Undefined when another binding has one of the flows, as when two peers open TCP connections to
   * one listening application through one address of the home network: nobody could tell what the application sends to which.
   */
  install(binding: LocalBinding, access: LocalAccess): TranslationOperation[] | undefined {
    const { family, protocol, application } = binding;
    const keys = [uplinkKey(binding), downlinkKey(binding, access)];
    if (keys.some((key) => this.#owners.get(key) !== undefined)) return undefined;
    for (const key of keys) this.#owners.set(key, binding.id);
    const [uplinkMark, downlinkMark] = [this.#newMark(access), this.#newMark()];
    this.#entries.set(binding.id, { binding, uplinkMark, downlinkMark, accepted: [access] });
    return [
      { kind: 'define-version', mark: uplinkMark, family, protocol, rewrite: { source: access.address } },
      {
        kind: 'define-version',
        mark: downlinkMark,
        family,
        protocol,
        rewrite: { destination: application.address },
      },
      { kind: 'select-version', key: uplinkKey(binding), mark: uplinkMark },
      { kind: 'select-version', key: downlinkKey(binding, access), mark: downlinkMark },
    ];
  }

  /** Receives over one more access. */
  accept(id: string, access: LocalAccess): TranslationOperation[] {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.accepted.some(({ address }) => address === access.address)) return [];
    const key = downlinkKey(entry.binding, access);
    if (this.#owners.get(key) !== undefined) return [];
    this.#owners.set(key, id);
    this.#entries.set(id, { ...entry, accepted: [...entry.accepted, access] });
    return [{ kind: 'select-version', key, mark: entry.downlinkMark }];
  }

  /** Sends over another access from now on (and receives there, if it did not yet): one element change. */
  move(id: string, access: LocalAccess): TranslationOperation[] {
    const acceptance = this.accept(id, access);
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    const { family, protocol } = entry.binding;
    const uplinkMark = this.#newMark(access);
    this.#entries.set(id, { ...entry, uplinkMark });
    return [
      ...acceptance,
      { kind: 'define-version', mark: uplinkMark, family, protocol, rewrite: { source: access.address } },
      { kind: 'select-version', key: uplinkKey(entry.binding), mark: uplinkMark },
      // Source and mark are written in one go in the output hook, so no packet still needs the former version.
      { kind: 'forget-version', mark: entry.uplinkMark },
    ];
  }

  /** Receives no longer over an access. */
  dismiss(id: string, access: LocalAccess): TranslationOperation[] {
    const entry = this.#entries.get(id);
    if (!entry?.accepted.some(({ address }) => address === access.address)) return [];
    const accepted = entry.accepted.filter(({ address }) => address !== access.address);
    this.#entries.set(id, { ...entry, accepted });
    return [this.#deselect(downlinkKey(entry.binding, access))];
  }

  release(id: string): TranslationOperation[] {
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    this.#entries.delete(id);
    return [
      this.#deselect(uplinkKey(entry.binding)),
      ...entry.accepted.map((access) => this.#deselect(downlinkKey(entry.binding, access))),
      { kind: 'forget-version', mark: entry.uplinkMark },
      { kind: 'forget-version', mark: entry.downlinkMark },
    ];
  }

  /** The flow by whose counters the node sees that data has come in over an access. */
  downlinkKey(id: string, access: LocalAccess): FlowKey | undefined {
    const entry = this.#entries.get(id);
    return entry && downlinkKey(entry.binding, access);
  }

  /** What the application sends, whichever access it leaves by. */
  uplinkKey(id: string): FlowKey | undefined {
    const binding = this.get(id);
    return binding && uplinkKey(binding);
  }

  #deselect(key: FlowKey): TranslationOperation {
    this.#owners.delete(key);
    return { kind: 'deselect', key };
  }

  #newMark(access?: LocalAccess): Mark {
    const version = this.#nextVersion;
    this.#nextVersion = version === 0xff_ffff ? 1 : version + 1;
    return (((access?.index ?? 0) << 24) | version) >>> 0;
  }
}

function uplinkKey({ family, protocol, activeEnd, application, peer }: LocalBinding): FlowKey {
  const base = { family, protocol, source: application.address, destination: peer.address };
  return activeEnd === 'correspondent-node'
    ? { ...base, port: application.port, portOf: 'source' }
    : { ...base, port: peer.port, portOf: 'destination' };
}

/** By the peer's port wherever it is known: the home network gives each session another, while applications may share theirs. */
function downlinkKey(
  { family, protocol, activeEnd, application, peer }: LocalBinding,
  access: LocalAccess,
): FlowKey {
  const base = { family, protocol, source: peer.address, destination: access.address };
  return activeEnd === 'correspondent-node'
    ? { ...base, port: application.port, portOf: 'destination' }
    : { ...base, port: peer.port, portOf: 'source' };
}
