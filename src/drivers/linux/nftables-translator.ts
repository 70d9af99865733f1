/**
 * An address translator in the kernel (TRIM Fig. 2 and 3(b)): carries out translation operations as changes of nftables map elements,
 * by raw netlink, without the nft program. A transaction is one system call and in force when `apply` returns.
 *
 * The tables outlive the process: if it crashes, calls go on, and the next one to open the same instance takes them away first. They
 * carry notes of which kernel parameters were changed from what, so that these are put back even then.
 */
import { familyOf, formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { PacketTranslator } from '../../translation/packet-translator.ts';
import {
  type FlowKey,
  formatFlowKey,
  type TranslationOperation,
} from '../../translation/translation-operation.ts';
import {
  type FlowChange,
  type SelectedVersion,
  TranslationTable,
} from '../../translation/translation-table.ts';
import { IcmpErrorRelay } from './icmp-error-relay.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink-socket.ts';
import { NetworkNamespace } from './network-namespace.ts';
import { type IpFamily, NftablesBatch, nftablesMessage } from './nftables-batch.ts';
import { type Counted, readElementCounter, readNamedCounter, readUserData } from './nftables-reader.ts';
import {
  appendElement,
  defragmentChain,
  droppedCounter,
  elementKeysOf,
  elementsOf,
  entryChain,
  formsOf,
  guardChain,
  type MapForm,
  mapName,
  type RuleSetOptions,
  suits,
} from './nftables-rule-set.ts';
import type { SetElements } from './nftables-set-elements.ts';
import { addChain, addNotes, addTable, deleteTable, notesChain } from './nftables-table.ts';
import {
  forwarding,
  hasIpFamily,
  presentSysctls,
  putBack,
  sysctlNote,
  sysctlsOf,
  writeSysctl,
} from './sysctl.ts';
import { canChangeVersions, cleanUpAfterGateways, VersionGateway } from './version-gateway.ts';

export interface NftablesTranslatorOptions
  extends Pick<RuleSetOptions, 'placement' | 'addresses'>,
    Partial<Omit<RuleSetOptions, 'placement' | 'addresses'>> {
  /** Tells translators of one network namespace apart; letters, digits, dashes and underscores. */
  readonly instance: string;
  /** Default: those that the kernel has. */
  readonly families?: readonly IpFamily[];
  /** Flows per map, 65,536 by default. The kernel sets aside about 16 octets for each from the start. */
  readonly capacity?: number;
  /** Whether packets and octets are counted per flow; not by default. */
  readonly counters?: boolean;
}

/** One map, with what the transaction under way deletes from it and adds to it. */
interface FlowMap {
  readonly family: IpFamily;
  readonly form: MapForm;
  readonly gone: SetElements;
  readonly goneLabel: string;
  readonly come: SetElements;
  readonly comeLabel: string;
}

export class NftablesTranslator {
  readonly #options: Required<NftablesTranslatorOptions>;
  /** That of the tables. */
  readonly #namespace = NetworkNamespace.current();
  readonly #socket: NetlinkSocket;
  readonly #batch: NftablesBatch;
  readonly #tableName: string;
  readonly #maps: readonly FlowMap[];
  /** Nobody else may send from these. */
  readonly #ownAddresses: ReadonlySet<string>;
  readonly #table: TranslationTable;
  #errors: IcmpErrorRelay | undefined;
  /** From the first flow on that changes its version of IP, or from when it was expected. */
  #gateway: VersionGateway | undefined;
  /** What was counted for a flow under its former versions: an element counts from zero. */
  readonly #counted = new Map<string, Counted>();

  /**
   * Sets up tables and kernel parameters in the network namespace of the calling thread, after taking leftovers away. Throws with
   * nothing left behind.
   */
  static open(options: NftablesTranslatorOptions): NftablesTranslator {
    const translator = new NftablesTranslator(options);
    try {
      translator.#takeAway();
      translator.#setUp();
    } catch (error) {
      translator.close();
      throw error;
    }
    return translator;
  }

  private constructor(options: NftablesTranslatorOptions) {
    if (!/^[\w-]{1,64}$/.test(options.instance))
      throw new TrimaranError('TRANSLATOR_OPTIONS', `"${options.instance}" cannot name a translator`);
    this.#options = {
      ...defaults,
      logGroup: logGroupOf(options.instance),
      families: ([4, 6] as const).filter(hasIpFamily),
      ...options,
    };
    const isHome = options.placement === 'home';
    this.#ownAddresses = new Set(isHome ? options.addresses.map(canonical) : []);
    this.#table = new TranslationTable(this.#ownAddresses);
    this.#tableName = `trimaran-${options.instance}`;
    this.#maps = this.#options.families.flatMap((family) =>
      formsOf(options.placement).map((form) => ({
        family,
        form,
        gone: elementKeysOf(this.#tableName, family, form),
        goneLabel: `deselect in ${mapName(form)}`,
        come: elementsOf(this.#tableName, family, form),
        comeLabel: `select in ${mapName(form)}`,
      })),
    );
    this.#socket = new NetlinkSocket(NETLINK_NETFILTER);
    this.#batch = new NftablesBatch(this.#socket);
  }

  /** One transaction: in force when this returns; nothing has changed when it throws. */
  apply(operations: readonly TranslationOperation[]): void {
    this.#table.apply(operations, (changes) => {
      const counted = this.#options.counters ? this.#countedSoFar(changes) : [];
      this.#commitThrough(changes);
      for (const [key, sum] of counted) sum ? this.#counted.set(key, sum) : this.#counted.delete(key);
    });
  }

  /**
   * Flows that change their version of IP are to be expected: the first of them need not wait for the thread to begin, which takes a tenth of
   * a second. Does nothing where the machine has no such flows (canChangeVersions).
   */
  expectBothVersions(): void {
    if (canChangeVersions()) this.#joinVersions();
  }

  /**
   * What a flow has carried since it was first selected; undefined when it is not. Needs the option `counters`. Of one between two of
   * our own mobile nodes it is what the flows that now go on in it have.
   */
  readCounter(key: FlowKey): Counted | undefined {
    const version = this.#table.find(key);
    if (version === undefined || !this.#isInner(key)) return version && this.#countedUnder(key, version);
    return this.#table
      .feedersOf(key)
      .flatMap((feeder) => this.readCounter(feeder) ?? [])
      .reduce(sumOf, { packets: 0, octets: 0 });
  }

  /** Between two of our own mobile nodes: no packet on a link looks like that, and one that does is a stranger's. */
  #isInner({ source }: FlowKey): boolean {
    return this.#ownAddresses.has(source);
  }

  #countedUnder(key: FlowKey, version: SelectedVersion): Counted {
    const { family, form } = this.#mapOf(key, version);
    const element = elementKeysOf(this.#tableName, family, form);
    appendElement(element, key);
    const present = readElementCounter(this.#socket, family, element);
    return sumOf(this.#counted.get(formatFlowKey(key)) ?? { packets: 0, octets: 0 }, present);
  }

  /** Packets to the translator's addresses that were dropped because they matched no flow. */
  readDropped(): number {
    return this.#options.families
      .map((family) => readNamedCounter(this.#socket, family, this.#tableName, droppedCounter).packets)
      .reduce((sum, packets) => sum + packets, 0);
  }

  /** Takes everything away and puts kernel parameters back. */
  close(): void {
    try {
      this.#gateway?.close();
      this.#takeAway();
    } finally {
      this.#errors?.close();
      this.#socket.close();
      this.#namespace.close();
    }
  }

  #setUp(): void {
    const { families, placement } = this.#options;
    cleanUpAfterGateways();
    const wanted = sysctlsOf(placement, families);
    const former = presentSysctls(wanted);
    const notes = former.map(sysctlNote);
    try {
      this.#install(this.#options, notes);
    } catch (error) {
      if (!isWithoutDefragmenter(error)) throw error;
      this.#install({ ...this.#options, defragmentBy: 'connection-tracking' }, notes);
    }
    this.#errors = new IcmpErrorRelay(new PacketTranslator(this.#table), this.#options.logGroup);
    for (const sysctl of wanted) if (former.some(({ name }) => name === sysctl.name)) writeSysctl(sysctl);
  }

  #install(options: Required<NftablesTranslatorOptions>, notes: readonly string[]): void {
    const [first] = options.families;
    for (const family of options.families) addTable(this.#batch, family, this.#tableName, options);
    // The notes are in the kernel before the first parameter changes, so no crash can lose them.
    if (first) addNotes(this.#batch, first, this.#tableName, notes);
    this.#batch.commit();
  }

  #takeAway(): void {
    const { families } = this.#options;
    const notes = families.flatMap((family) =>
      readUserData(this.#socket, family, this.#tableName, notesChain),
    );
    putBack(notes);
    for (const family of families) deleteTable(this.#batch, family, this.#tableName);
    this.#batch.commit();
  }

  /** A flow that changes its version of IP goes by way of the gateway; what it changed to before stays there for packets under way. */
  #commitThrough(changes: readonly FlowChange[]): void {
    const entered: SelectedVersion[] = [];
    const inKernel = ({ key, before, after }: FlowChange): FlowChange => {
      if (after === undefined || this.#isInner(key) || !changesFamily(key, after))
        return { key, before, after };
      const version = this.#joinVersions().enter(key.family, key.source, after);
      entered.push(after);
      return { key, before, after: version };
    };
    const leave = (versions: readonly SelectedVersion[]): void => {
      for (const version of versions) this.#gateway?.leave(version);
    };
    try {
      this.#commit(changes.map(inKernel));
    } catch (error) {
      leave(entered);
      throw error;
    }
    leave(
      changes.flatMap(({ key, before }) =>
        before && !this.#isInner(key) && changesFamily(key, before) ? [before] : [],
      ),
    );
  }

  #joinVersions(): VersionGateway {
    this.#gateway ??= this.#namespace.run(() => this.#openGateway());
    return this.#gateway;
  }

  #openGateway(): VersionGateway {
    const { placement, families } = this.#options;
    if (families.length < 2)
      throw new TrimaranError('TRANSLATION_REFUSED', 'this kernel has one version of IP only');
    for (const family of families) addChain(this.#batch, family, this.#tableName, entryChain(family));
    // Whoever has made the node a router wants it to be one.
    const isHost = (family: IpFamily): boolean =>
      placement === 'mobile-node' && presentSysctls([forwarding[family]]).length > 0;
    for (const family of families.filter(isHost)) addChain(this.#batch, family, this.#tableName, guardChain);
    this.#batch.commit();
    return new VersionGateway(placement);
  }

  /** More flows than one message to the kernel can hold change part by part, each flow at once all the same. */
  #commit(changes: readonly FlowChange[]): void {
    let done = 0;
    try {
      for (; done < changes.length; done += FLOWS_PER_COMMIT)
        this.#commitPart(changes.slice(done, done + FLOWS_PER_COMMIT));
    } catch (error) {
      for (done -= FLOWS_PER_COMMIT; done >= 0; done -= FLOWS_PER_COMMIT)
        this.#commitPart(changes.slice(done, done + FLOWS_PER_COMMIT).map(reversed));
      throw error;
    }
  }

  #commitPart(changes: readonly FlowChange[]): void {
    const { deleteElement, newElement } = nftablesMessage;
    try {
      for (const { key, before, after } of changes) {
        if (this.#isInner(key)) continue;
        if (before) appendElement(this.#mapOf(key, before).gone, key);
        if (after) appendElement(this.#mapOf(key, after).come, key, after);
      }
      for (const { family, gone, goneLabel } of this.#maps)
        this.#batch.addElements(deleteElement, family, gone, goneLabel);
      for (const { family, come, comeLabel } of this.#maps)
        this.#batch.addElements(newElement, family, come, comeLabel);
    } finally {
      for (const { gone, come } of this.#maps) {
        gone.clear();
        come.clear();
      }
    }
    this.#batch.commit();
  }

  #countedSoFar(changes: readonly FlowChange[]): [key: string, sum: Counted | undefined][] {
    return changes.flatMap(({ key, before, after }) =>
      before && !this.#isInner(key) ? [[formatFlowKey(key), after && this.#countedUnder(key, before)]] : [],
    );
  }

  #mapOf(key: FlowKey, { rewrite }: SelectedVersion): FlowMap {
    for (const map of this.#maps) if (map.family === key.family && suits(map.form, key, rewrite)) return map;
    const text = `${formatFlowKey(key)} cannot be translated at placement ${this.#options.placement}`;
    throw new TrimaranError('TRANSLATION_REFUSED', text);
  }
}

/** The kernel was built without nft_tproxy. */
function isWithoutDefragmenter(error: unknown): boolean {
  return error instanceof TrimaranError && error.code === 'ENOENT' && error.message.includes(defragmentChain);
}

function changesFamily({ family, destination }: FlowKey, { rewrite }: SelectedVersion): boolean {
  return familyOf(rewrite.destination ?? destination) !== family;
}

function canonical(address: string): string {
  return formatIpAddress(parseIpAddress(address) ?? new Uint8Array(4));
}

function sumOf(a: Counted, b: Counted): Counted {
  return { packets: a.packets + b.packets, octets: a.octets + b.octets };
}

function reversed({ key, before, after }: FlowChange): FlowChange {
  return { key, before: after, after: before };
}

/** All ports, for addresses that belong to translation alone; segments that fit links of 1,400 octets, as behind mobile networks' and other tunnels. */
const defaults = {
  firstPort: 1,
  lastPort: 65535,
  maximumSegmentSize: 1340,
  defragmentBy: 'transparent-proxy' as const,
  capacity: 65536,
  counters: false,
};

/** A change of an IPv6 flow takes 144 octets, and a message of 212,960 fits the send buffer that every process may have. */
const FLOWS_PER_COMMIT = 1400;

/** A group has one listener per network namespace, so each instance has its own: one of 4,096 by its name. */
function logGroupOf(instance: string): number {
  let hash = 0;
  for (const character of instance) hash = (31 * hash + (character.codePointAt(0) ?? 0)) & 0xfff;
  return 0x7000 | hash;
}
