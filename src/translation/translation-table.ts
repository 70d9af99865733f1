/**
 * The state behind both engines of an address translator: which versions are defined and which flow selects which. A transaction
 * is checked as a whole before any of it counts, and comes out as the list of flows that changed, so that an engine need not
 * follow the operations one by one: however often a transaction touches a flow, it changes once.
 *
 * Two mobile users of one home network who call each other have two bindings in a row, and what the first one writes is addressed to
 * the translator again. Such a flow comes out as one that does what both do, so that an engine translates every packet once:
 *
 *     m1 > y1  ──first──>  x1 > x2  ──second──>  y2 > m2        is        m1 > y1  ──>  y2 > m2
 */
import { familyOf } from '../base/ip-address.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import { FlowIndex } from './flow-index.ts';
import {
  type FlowKey,
  formatFlowKey,
  type Mark,
  type Rewrite,
  type TranslationOperation,
} from './translation-operation.ts';

/** What happens to the packets of one flow: the version it selects, with the fields that version writes. */
export interface SelectedVersion {
  readonly mark: Mark;
  readonly rewrite: Rewrite;
}

export interface FlowChange {
  readonly key: FlowKey;
  readonly before: SelectedVersion | undefined;
  readonly after: SelectedVersion | undefined;
}

interface Version extends SelectedVersion {
  readonly family: 4 | 6;
  readonly protocol: string;
  /** How many flows select it. */
  flows: number;
}

export type AddressSet = Pick<ReadonlySet<string>, 'has'>;

interface Flow {
  readonly key: FlowKey;
  /** What it selects, now and when the transaction of that number first touched it. */
  selected: Version | undefined;
  selectedBefore: Version | undefined;
  transaction: number;
  /** What comes of it, which is more where another flow of ours takes the packets on. */
  before: SelectedVersion | undefined;
  after: SelectedVersion | undefined;
  /** That other flow's key, if the translator owns the address to which packets are sent on. */
  next: FlowKey | undefined;
}

export class TranslationTable {
  readonly #versions = new Map<Mark, Version>();
  readonly #flows = new FlowIndex<Flow>();
  readonly #ownAddresses: AddressSet;
  /** By the key of the flow that takes the packets on. */
  readonly #feeders = new FlowIndex<Set<Flow>>();
  /** What the transaction under way has done, so that it can be undone: a hundred thousand of these go by per second. */
  readonly #replaced: { readonly mark: Mark; readonly before: Version | undefined }[] = [];
  #touched: Flow[] = [];
  #transaction = 0;

  /** The addresses of a home network's translator; a mobile node's never sends packets on to itself. */
  constructor(ownAddresses: AddressSet = new Set()) {
    this.#ownAddresses = ownAddresses;
  }

  /** Flows that are translated now. */
  get size(): number {
    return this.#flows.size;
  }

  find(key: FlowKey): SelectedVersion | undefined {
    return this.#flows.get(key)?.after;
  }

  /** The flows whose packets go on in this one. */
  feedersOf(key: FlowKey): FlowKey[] {
    return [...(this.#feeders.get(key) ?? [])].map((flow) => flow.key);
  }

  *flows(): IterableIterator<FlowKey> {
    for (const { key } of this.#flows.values()) yield key;
  }

  /**
   * Carries out one transaction; `commit` gets the changed flows before they count and refuses them by throwing. Throws, with nothing
   * changed, what `commit` threw, or TRANSLATION_REFUSED when an operation contradicts the state. What is returned holds until the
   * next transaction.
   */
  apply(
    operations: readonly TranslationOperation[],
    commit: (changes: readonly FlowChange[]) => void = () => {},
  ): readonly FlowChange[] {
    this.#transaction++;
    try {
      for (const operation of operations) this.#carryOut(operation);
      this.#touchFeeders();
      for (const flow of this.#touched) flow.after = this.#outcomeOf(flow);
      const changes = this.#touched.filter(({ before, after }) => before !== after);
      commit(changes);
      return changes;
    } catch (error) {
      this.#undo();
      throw error;
    } finally {
      for (const { key, selected } of this.#touched) if (selected === undefined) this.#flows.delete(key);
      this.#touched = [];
      this.#replaced.length = 0;
    }
  }

  #undo(): void {
    for (const flow of this.#touched) {
      this.#select(flow, flow.selectedBefore);
      flow.after = flow.before;
    }
    for (const { mark, before } of this.#replaced.reverse()) this.#setVersion(mark, before);
  }

  #carryOut(operation: TranslationOperation): void {
    switch (operation.kind) {
      case 'define-version':
        this.#define(operation);
        break;
      case 'forget-version':
        this.#forget(operation.mark);
        break;
      case 'select-version':
        this.#select(this.#touch(operation.key), this.#versionFor(operation.key, operation.mark));
        break;
      case 'deselect':
        this.#deselect(operation.key);
        break;
    }
  }

  #define(operation: TranslationOperation & { kind: 'define-version' }): void {
    const { mark, family, protocol, rewrite } = operation;
    if (!Number.isInteger(mark) || mark < 1 || mark > 0xffff_ffff)
      throw refused(`mark ${mark} is not 1 … 2^32 − 1`);
    // A version in use may not change under its flows: that is what versions are for.
    if (this.#versions.has(mark)) throw refused(`version ${mark} is defined already`);
    this.#replaced.push({ mark, before: undefined });
    this.#setVersion(mark, { mark, family, protocol, rewrite, flows: 0 });
  }

  #forget(mark: Mark): void {
    const version = this.#versions.get(mark);
    if (version === undefined) throw refused(`no version ${mark} to forget`);
    if (version.flows > 0) throw refused(`version ${mark} is still selected by ${version.flows} flows`);
    this.#replaced.push({ mark, before: version });
    this.#setVersion(mark, undefined);
  }

  #deselect(key: FlowKey): void {
    const flow = this.#touch(key);
    if (flow.selected === undefined) throw refused(`no flow ${formatFlowKey(key)} to deselect`);
    this.#select(flow, undefined);
  }

  #versionFor(key: FlowKey, mark: Mark): Version {
    const version = this.#versions.get(mark);
    if (version === undefined)
      throw refused(`${formatFlowKey(key)} selects version ${mark}, which is not defined`);
    if (version.protocol !== key.protocol)
      throw refused(`${formatFlowKey(key)} selects version ${mark} of another protocol`);
    const { source = key.source, destination = key.destination } = version.rewrite;
    if ([source, destination].some((address) => familyOf(address) !== version.family))
      throw refused(
        `${formatFlowKey(key)} selects version ${mark}, which leaves an address of another family`,
      );
    return version;
  }

  #select(flow: Flow, version: Version | undefined): void {
    if (flow.selected) flow.selected.flows--;
    if (version) version.flows++;
    flow.selected = version;
    if (flow.next) this.#removeFeeder(flow.next, flow);
    const isForUs = version && this.#ownAddresses.has(version.rewrite.destination ?? flow.key.destination);
    flow.next = isForUs ? rewrittenKey(flow.key, version.rewrite) : undefined;
    if (flow.next) this.#feeders.set(flow.next, (this.#feeders.get(flow.next) ?? new Set()).add(flow));
  }

  #removeFeeder(key: FlowKey, flow: Flow): void {
    const feeders = this.#feeders.get(key);
    feeders?.delete(flow);
    if (feeders?.size === 0) this.#feeders.delete(key);
  }

  /** What comes of a flow changes with the one that takes its packets on. */
  #touchFeeders(): void {
    for (const { key } of this.#touched.slice()) {
      if (!this.#ownAddresses.has(key.source)) continue;
      for (const feeder of this.#feeders.get(key) ?? []) this.#touch(feeder.key);
    }
  }

  #outcomeOf({ selected, next }: Flow): SelectedVersion | undefined {
    const second = next && this.#flows.get(next)?.selected;
    if (selected === undefined || second === undefined) return selected;
    return { mark: selected.mark, rewrite: { ...selected.rewrite, ...second.rewrite } };
  }

  #setVersion(mark: Mark, version: Version | undefined): void {
    if (version) this.#versions.set(mark, version);
    else this.#versions.delete(mark);
  }

  /** The flow of that key, with a note of what it selected before this transaction. */
  #touch(key: FlowKey): Flow {
    let flow = this.#flows.get(key);
    if (flow?.transaction === this.#transaction) return flow;
    const transaction = this.#transaction;
    if (flow === undefined) {
      flow = newFlow(key, transaction);
      this.#flows.set(key, flow);
    } else {
      flow.before = flow.after;
      flow.selectedBefore = flow.selected;
      flow.transaction = transaction;
    }
    this.#touched.push(flow);
    return flow;
  }
}

/** Written out: objects made by spreading are several times slower to use, and these are in every step. */
function newFlow(key: FlowKey, transaction: number): Flow {
  return {
    key,
    selected: undefined,
    selectedBefore: undefined,
    transaction,
    before: undefined,
    after: undefined,
    next: undefined,
  };
}

/** How a flow with this rewrite looks afterwards. The port that it goes by is the one that is known then, too. */
function rewrittenKey(key: FlowKey, rewrite: Rewrite): FlowKey {
  const { source = key.source, destination = key.destination } = rewrite;
  const port = (key.portOf === 'source' ? rewrite.sourcePort : rewrite.destinationPort) ?? key.port;
  return { ...key, family: familyOf(destination), source, destination, port };
}

function refused(message: string): TrimaranError {
  return new TrimaranError('TRANSLATION_REFUSED', message);
}
