/**
 * The bindings of a mobile node's own address translator (TRIM Fig. 3(b)): applications hold one internal address for ever, and
 * each session's packets leave with the address of the access network that carries it.
 *
 *     application i:p > y:b  [translator]  m1:p or m2:p  <-->  y:b, or another over that access, of the home network's translator
 *
 * What the application sends to is the same for ever too. Over an access of the other version of IP the home network is reached at another
 * place, which the binding then holds for that access.
 *
 * Every session receives on all accesses that it accepts and sends on one. Its mark's top 8 bits are the access index, by which
 * policy routing picks the access, so that way out and source address change together, per session.
 */
import { familyOf } from '../base/ip-address.ts';
import { sameTransportAddress, type TransportAddress } from '../base/network.ts';
import { FlowIndex } from './flow-index.ts';
import type {
  FlowKey,
  Mark,
  Rewrite,
  TranslationOperation,
  TransportProtocol,
} from './translation-operation.ts';

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
  readonly protocol: TransportProtocol;
  /** TCP only: who opens the connection, and so picks a port that is not known. */
  readonly activeEnd?: 'mobile-node' | 'correspondent-node';
  /** The address and port that the application uses. */
  readonly application: TransportAddress;
  /** y:b as the application knows it. */
  readonly peer: TransportAddress;
}

/** An access that a binding receives on, with y:b as it is reached there. */
interface Acceptance extends LocalAccess {
  readonly remote: TransportAddress;
}

interface Entry {
  readonly binding: LocalBinding;
  /** Undefined while the access that it is to send on does not reach the peer. */
  readonly uplinkMark: Mark | undefined;
  readonly downlinkMark: Mark;
  /** Where the peer is reached over the access that it sends on. */
  readonly remote: TransportAddress;
  readonly accepted: readonly Acceptance[];
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
   * Sends and receives over one access, over which the peer is reached at `remote`; when the access does not reach it there, as soon as it
   * is reached (`accept`, `move`). Undefined when another binding has one of the flows, as
   * when two peers open TCP connections to one listening application through one address of the home network: nobody could tell what the
   * application sends to which.
   */
  install(
    binding: LocalBinding,
    access: LocalAccess,
    remote: TransportAddress = binding.peer,
  ): TranslationOperation[] | undefined {
    const keys = [uplinkKey(binding), downlinkKey(binding, { ...access, remote })];
    if (keys.some((key) => this.#owners.get(key) !== undefined)) return undefined;
    const downlinkMark = this.#newMark();
    this.#owners.set(uplinkKey(binding), binding.id);
    this.#entries.set(binding.id, { binding, uplinkMark: undefined, downlinkMark, remote, accepted: [] });
    return [
      defineVersion(binding, downlinkMark, downlinkRewrite(binding)),
      ...this.move(binding.id, access, remote),
    ];
  }

  /** Receives over one more access. Without `remote` the peer is where it was, which an access of the other version of IP cannot reach. */
  accept(id: string, access: LocalAccess, remote?: TransportAddress): TranslationOperation[] {
    const entry = this.#entries.get(id);
    const place = entry && placeOver(entry, access, remote);
    if (entry === undefined || place === undefined) return [];
    const known = entry.accepted.find(({ address }) => address === access.address);
    if (known !== undefined && sameTransportAddress(known.remote, place)) return [];
    const acceptance = { ...access, remote: place };
    const key = downlinkKey(entry.binding, acceptance);
    if (this.#owners.get(key) !== undefined) return [];
    this.#owners.set(key, id);
    const others = entry.accepted.filter((one) => one !== known);
    this.#entries.set(id, { ...entry, accepted: [...others, acceptance] });
    return [
      { kind: 'select-version', key, mark: entry.downlinkMark },
      ...(known === undefined ? [] : [this.#deselect(downlinkKey(entry.binding, known))]),
    ];
  }

  /** Sends over another access from now on (and receives there, if it did not yet): one element change. */
  move(id: string, access: LocalAccess, remote?: TransportAddress): TranslationOperation[] {
    const acceptance = this.accept(id, access, remote);
    const entry = this.#entries.get(id);
    const place = entry && placeOver(entry, access, remote);
    if (entry === undefined || place === undefined) return [];
    const uplinkMark = this.#newMark(access);
    this.#entries.set(id, { ...entry, uplinkMark, remote: place });
    return [
      ...acceptance,
      defineVersion(entry.binding, uplinkMark, uplinkRewrite(entry.binding, access, place)),
      { kind: 'select-version', key: uplinkKey(entry.binding), mark: uplinkMark },
      // Source and mark are written in one go in the output hook, so no packet still needs the former version.
      ...forgetVersion(entry.uplinkMark),
    ];
  }

  /** The peer of the binding, which sends over that access, is at `remote` now. */
  reach(id: string, access: LocalAccess, remote: TransportAddress): TranslationOperation[] {
    const entry = this.#entries.get(id);
    const isThere = entry !== undefined && sameTransportAddress(entry.remote, remote);
    return isThere ? [] : this.move(id, access, remote);
  }

  /** Receives no longer over an access. */
  dismiss(id: string, access: LocalAccess): TranslationOperation[] {
    const entry = this.#entries.get(id);
    const acceptance = entry?.accepted.find(({ address }) => address === access.address);
    if (entry === undefined || acceptance === undefined) return [];
    this.#entries.set(id, { ...entry, accepted: entry.accepted.filter((one) => one !== acceptance) });
    return [this.#deselect(downlinkKey(entry.binding, acceptance))];
  }

  release(id: string): TranslationOperation[] {
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    this.#entries.delete(id);
    return [
      ...this.#releaseUplink(entry),
      ...entry.accepted.map((acceptance) => this.#deselect(downlinkKey(entry.binding, acceptance))),
      ...forgetVersion(entry.uplinkMark),
      ...forgetVersion(entry.downlinkMark),
    ];
  }

  /** The flow by whose counters the node sees that data has come in over an access; undefined as long as it is not known what comes there. */
  downlinkKey(id: string, access: LocalAccess): FlowKey | undefined {
    const entry = this.#entries.get(id);
    const remote = entry && placeOver(entry, access);
    return entry && remote && downlinkKey(entry.binding, { ...access, remote });
  }

  /** What the application sends, whichever access it leaves by. */
  uplinkKey(id: string): FlowKey | undefined {
    const binding = this.get(id);
    return binding && uplinkKey(binding);
  }

  #releaseUplink({ binding, uplinkMark }: Entry): TranslationOperation[] {
    const operation = this.#deselect(uplinkKey(binding));
    return uplinkMark === undefined ? [] : [operation];
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

function forgetVersion(mark: Mark | undefined): TranslationOperation[] {
  return mark === undefined ? [] : [{ kind: 'forget-version', mark }];
}

/** Where the peer is reached over an access, as far as that is known, if the access reaches it at all. */
function placeOver(
  { accepted, remote: present }: Entry,
  access: LocalAccess,
  remote?: TransportAddress,
): TransportAddress | undefined {
  const place = remote ?? accepted.find(({ address }) => address === access.address)?.remote ?? present;
  return familyOf(place.address) === familyOf(access.address) ? place : undefined;
}

function uplinkKey({ protocol, activeEnd, application, peer }: LocalBinding): FlowKey {
  const [source, destination] = [application.address, peer.address];
  const base = { family: familyOf(source), protocol, source, destination };
  return activeEnd === 'correspondent-node'
    ? { ...base, port: application.port, portOf: 'source' }
    : { ...base, port: peer.port, portOf: 'destination' };
}

/** By the peer's port wherever it is known: the home network gives each session another, while applications may share theirs. */
function downlinkKey(
  { protocol, activeEnd, application }: LocalBinding,
  { address, remote }: Acceptance,
): FlowKey {
  const base = { family: familyOf(address), protocol, source: remote.address, destination: address };
  return activeEnd === 'correspondent-node'
    ? { ...base, port: application.port, portOf: 'destination' }
    : { ...base, port: remote.port, portOf: 'source' };
}

function uplinkRewrite(
  { activeEnd }: LocalBinding,
  access: LocalAccess,
  remote: TransportAddress,
): LocalRewrite {
  const destination = remote.address;
  return activeEnd === 'correspondent-node'
    ? { source: access.address, destination }
    : { source: access.address, destination, destinationPort: remote.port };
}

function downlinkRewrite({ activeEnd, application, peer }: LocalBinding): LocalRewrite {
  const destination = application.address;
  return activeEnd === 'correspondent-node'
    ? { source: peer.address, destination }
    : { source: peer.address, sourcePort: peer.port, destination };
}

type LocalRewrite = Rewrite & { readonly destination: string };

function defineVersion({ protocol }: LocalBinding, mark: Mark, rewrite: LocalRewrite): TranslationOperation {
  return { kind: 'define-version', mark, family: familyOf(rewrite.destination), protocol, rewrite };
}
