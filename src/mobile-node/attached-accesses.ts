/**
 * The accesses of the mobile node: those configured, by name and by index, and of those that have an address now what is known of them.
 *
 * To SIP an access is where the node can be reached. That is the access's own address, or, behind address translation, the home address:
 * SIP and media then go through the tunnel of Mobile IP (RFC 3519), which takes whichever access forwards. So all accesses behind
 * translators are one to SIP, and nothing is signalled when the node changes from one of them to another.
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import type { TransportAddress } from '../base/network.ts';
import type { SipListener } from '../protocols/sip/endpoint.ts';
import { homeAddressIndex } from '../translation/local-binding-table.ts';
import type { AccessOptions, AttachedAccess, Signalling } from './attached-access.ts';
import type { NetworkAccess } from './handover-manager/network-access.ts';
import { ProxyOrder } from './proxy-order.ts';

export interface AttachedAccessesOptions extends Signalling {
  readonly accesses: readonly AccessOptions[];
  /** With Mobile IP. */
  readonly homeAddress: string | undefined;
}

export class AttachedAccesses {
  readonly configured: readonly AccessOptions[];
  readonly #options: AttachedAccessesOptions;
  readonly #attached = new Map<number, AttachedAccess>();
  /** As found for a name; the last one found holds until another is. */
  readonly #proxies = new Map<number, ProxyOrder>();
  /** Of the registration at each access of SIP (RFC 3608). */
  readonly #serviceRoutes = new Map<number, readonly string[]>();

  constructor(options: AttachedAccessesOptions) {
    this.configured = options.accesses;
    this.#options = options;
  }

  attach(options: AccessOptions, address: string, attachMs: DurationMs, attachedAt: Instant): void {
    const { index } = options;
    const unknown = { signallingMs: undefined, isBehindNat: undefined, isForsaken: false };
    this.#attached.set(index, { options, address, attachedAt, attachMs, ...unknown });
    this.#serviceRoutes.delete(index);
  }

  detach(index: number): void {
    this.#attached.delete(index);
  }

  get(index: number): AttachedAccess | undefined {
    return this.#attached.get(index);
  }

  optionsOf(name: string): AccessOptions | undefined {
    return this.configured.find((access) => access.name === name);
  }

  /** Also of what only SIP knows as an access. */
  nameOf(index: number): string {
    if (index === homeAddressIndex) return homeAddressName;
    return this.configured.find((access) => access.index === index)?.name ?? String(index);
  }

  optionalName(index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.nameOf(index);
  }

  /** Packets can be sent over it. */
  isReady(index: number): boolean {
    return this.#attached.get(index)?.signallingMs !== undefined;
  }

  /** In the order in which they are configured. */
  get ready(): readonly AttachedAccess[] {
    return this.configured.flatMap(({ index }) =>
      this.isReady(index) ? (this.#attached.get(index) ?? []) : [],
    );
  }

  /** The index of the access that SIP uses for it. */
  sipIndexOf(index: number): number {
    return this.#attached.get(index)?.isBehindNat === true ? homeAddressIndex : index;
  }

  /** Whether it is not known yet which one that is: the home agent has not answered over the access. */
  isReachUnknown(index: number): boolean {
    const access = this.#attached.get(index);
    const hasSip = access?.options.proxyCscf !== undefined;
    return hasSip && this.#options.homeAddress !== undefined && access.isBehindNat === undefined;
  }

  /** Undefined also as long as its name was never found. */
  proxyOf({ index, proxyCscf }: AccessOptions): TransportAddress | undefined {
    return proxyCscf !== undefined && 'kind' in proxyCscf ? this.#proxies.get(index)?.present : proxyCscf;
  }

  setProxies(index: number, proxies: readonly [TransportAddress, ...TransportAddress[]]): void {
    this.#proxies.set(index, new ProxyOrder(proxies));
  }

  /** The access with the next of its P-CSCFs, as the present one does not answer. Undefined: it has no other, or all have been tried. */
  failOver(sipIndex: number): NetworkAccess | undefined {
    return this.#proxies.get(sipIndex)?.failOver() ? this.forSip(sipIndex) : undefined;
  }

  /** The access for SIP; undefined without an address, or without a proxy to send to. */
  forSip(index: number): NetworkAccess | undefined {
    const access = this.#attached.get(index);
    const proxyCscf = access && this.proxyOf(access.options);
    if (access === undefined || proxyCscf === undefined) return undefined;
    return access.isBehindNat ? this.#atHome : this.#networkAccess(access, proxyCscf);
  }

  /** By the index that SIP knows it by. The home address is there as long as the node is. */
  sipAccess(sipIndex: number): NetworkAccess | undefined {
    return sipIndex === homeAddressIndex ? this.#atHome : this.forSip(sipIndex);
  }

  /** Where the node takes SIP of its network side at this address. */
  listenersAt(address: string): readonly SipListener[] {
    const { signallingPort, tls } = this.#options;
    const transports = tls === undefined ? (['udp', 'tcp'] as const) : (['tls'] as const);
    return transports.map((transport) => ({ transport, address, port: tls?.port ?? signallingPort }));
  }

  /** As the registrar has told it for the access of SIP. */
  setServiceRoute(sipIndex: number, serviceRoute: readonly string[]): void {
    this.#serviceRoutes.set(sipIndex, serviceRoute);
    this.#proxies.get(sipIndex)?.answered();
  }

  #networkAccess({ options, address }: AttachedAccess, proxyCscf: NetworkAccess['proxyCscf']): NetworkAccess {
    const { index, name, accessNetworkInfo } = options;
    const serviceRoute = this.#serviceRoutes.get(index) ?? [];
    return { index, name, address, ...this.#signalling(proxyCscf), accessNetworkInfo, serviceRoute };
  }

  #signalling(proxyCscf: NetworkAccess['proxyCscf']): Pick<NetworkAccess, 'signallingPort' | 'proxyCscf'> {
    const { signallingPort, tls } = this.#options;
    if (tls === undefined) return { signallingPort, proxyCscf };
    const { port, serverName } = tls;
    return { signallingPort: port, proxyCscf: { ...proxyCscf, transport: 'tls', serverName } };
  }

  /** By one proxy for ever, as the tunnel always ends in the home network. Which access it takes may change at any time: nobody is told. */
  get #atHome(): NetworkAccess | undefined {
    const { homeAddress: address } = this.#options;
    const [proxyCscf] = this.configured.flatMap((access) => this.proxyOf(access) ?? []);
    if (address === undefined || proxyCscf === undefined) return undefined;
    const [index, name] = [homeAddressIndex, homeAddressName];
    const serviceRoute = this.#serviceRoutes.get(index) ?? [];
    const signalling = this.#signalling(proxyCscf);
    return { index, name, address, ...signalling, accessNetworkInfo: undefined, serviceRoute };
  }
}

const homeAddressName = 'home-address';
