/**
 * The state behind both engines of an address translator: which versions are defined and which flow selects which. A transaction
 * is checked as a whole before any of it counts, and comes out as the list of flows that changed, so that an engine need not
 * follow the operations one by one: however often a transaction touches a flow, it changes once.
 */
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

/** `before` is what the flow selected when the transaction of that number first touched it. */
interface Flow {
  readonly key: FlowKey;
  before: Version | undefined;
  after: Version | undefined;
  transaction: number;
}

export class TranslationTable {
  readonly #versions = new Map<Mark, Version>();
  readonly #flows = new FlowIndex<Flow>();
  /** What the transaction under way has done, so that it can be undone: a hundred thousand of these go by per second. */
  readonly #replaced: { readonly mark: Mark; readonly before: Version | undefined }[] = [];
  #touched: Flow[] = [];
  #transaction = 0;

  /** Flows that are translated now. */
  get size(): number {
    return this.#flows.size;
  }

  find(key: FlowKey): SelectedVersion | undefined {
    return this.#flows.get(key)?.after;
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
      const changes = this.#touched.filter(({ before, after }) => before !== after);
      commit(changes);
      return changes;
    } catch (error) {
      this.#undo();
      throw error;
    } finally {
      for (const { key, after } of this.#touched) if (after === undefined) this.#flows.delete(key);
      this.#touched = [];
      this.#replaced.length = 0;
    }
  }

  #undo(): void {
    for (const flow of this.#touched) select(flow, flow.before);
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
        select(this.#touch(operation.key), this.#versionFor(operation.key, operation.mark));
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
    if (flow.after === undefined) throw refused(`no flow ${formatFlowKey(key)} to deselect`);
    select(flow, undefined);
  }

  #versionFor(key: FlowKey, mark: Mark): Version {
    const version = this.#versions.get(mark);
    if (version === undefined)
      throw refused(`${formatFlowKey(key)} selects version ${mark}, which is not defined`);
    if (version.family !== key.family || version.protocol !== key.protocol)
      throw refused(`${formatFlowKey(key)} selects version ${mark} of another family or protocol`);
    return version;
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
      flow = { key, before: undefined, after: undefined, transaction };
      this.#flows.set(key, flow);
    } else {
      flow.before = flow.after;
      flow.transaction = transaction;
    }
    this.#touched.push(flow);
    return flow;
  }
}

function select(flow: Flow, version: Version | undefined): void {
  if (flow.after) flow.after.flows--;
  if (version) version.flows++;
  flow.after = version;
}

function refused(message: string): TrimaranError {
  return new TrimaranError('TRANSLATION_REFUSED', message);
}
