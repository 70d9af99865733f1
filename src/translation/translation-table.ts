/**
 * The state behind both engines of an address translator: which versions are defined and which flow selects which. A transaction
 * is checked as a whole before any of it counts, and comes out as the list of flows that changed, so that an engine need not
 * follow the operations one by one: however often a transaction touches a flow, it changes once.
 */
import { TrimaranError } from '../base/trimaran-error.ts';
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

interface Flow {
  readonly key: FlowKey;
  readonly version: Version;
}

export class TranslationTable {
  readonly #versions = new Map<Mark, Version>();
  readonly #flows = new Map<string, Flow>();

  /** Flows that are translated now. */
  get size(): number {
    return this.#flows.size;
  }

  find(key: FlowKey): SelectedVersion | undefined {
    return this.#flows.get(formatFlowKey(key))?.version;
  }

  *flows(): IterableIterator<FlowKey> {
    for (const { key } of this.#flows.values()) yield key;
  }

  /**
   * Carries out one transaction; `commit` gets the changed flows before they count and refuses them by throwing. Throws, with nothing
   * changed, what `commit` threw, or TRANSLATION_REFUSED when an operation contradicts the state.
   */
  apply(
    operations: readonly TranslationOperation[],
    commit: (changes: readonly FlowChange[]) => void = () => {},
  ): readonly FlowChange[] {
    const undo: (() => void)[] = [];
    const touched = new Map<string, { key: FlowKey; before: Version | undefined }>();
    try {
      for (const operation of operations) this.#carryOut(operation, undo, touched);
      const changes = this.#changes(touched);
      commit(changes);
      return changes;
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  #changes(touched: Map<string, { key: FlowKey; before: Version | undefined }>): FlowChange[] {
    const changes: FlowChange[] = [];
    for (const [text, { key, before }] of touched) {
      const after = this.#flows.get(text)?.version;
      if (after !== before) changes.push({ key, before, after });
    }
    return changes;
  }

  #carryOut(
    operation: TranslationOperation,
    undo: (() => void)[],
    touched: Map<string, { key: FlowKey; before: Version | undefined }>,
  ): void {
    switch (operation.kind) {
      case 'define-version':
        this.#define(operation, undo);
        break;
      case 'forget-version':
        this.#forget(operation.mark, undo);
        break;
      default: {
        const { key } = operation;
        const text = formatFlowKey(key);
        const flow = this.#flows.get(text);
        if (!touched.has(text)) touched.set(text, { key, before: flow?.version });
        const version = operation.kind === 'deselect' ? undefined : this.#versionFor(key, operation.mark);
        if (flow === undefined && version === undefined) throw refused(`no flow ${text} to deselect`);
        this.#select(text, key, version);
        undo.push(() => this.#select(text, key, flow?.version));
      }
    }
  }

  #define(operation: TranslationOperation & { kind: 'define-version' }, undo: (() => void)[]): void {
    const { mark, family, protocol, rewrite } = operation;
    if (!Number.isInteger(mark) || mark < 1 || mark > 0xffff_ffff)
      throw refused(`mark ${mark} is not 1 … 2^32 − 1`);
    // A version in use may not change under its flows: that is what versions are for.
    if (this.#versions.has(mark)) throw refused(`version ${mark} is defined already`);
    this.#versions.set(mark, { mark, family, protocol, rewrite, flows: 0 });
    undo.push(() => this.#versions.delete(mark));
  }

  #forget(mark: Mark, undo: (() => void)[]): void {
    const version = this.#versions.get(mark);
    if (version === undefined) throw refused(`no version ${mark} to forget`);
    if (version.flows > 0) throw refused(`version ${mark} is still selected by ${version.flows} flows`);
    this.#versions.delete(mark);
    undo.push(() => this.#versions.set(mark, version));
  }

  #versionFor(key: FlowKey, mark: Mark): Version {
    const version = this.#versions.get(mark);
    if (version === undefined)
      throw refused(`${formatFlowKey(key)} selects version ${mark}, which is not defined`);
    if (version.family !== key.family || version.protocol !== key.protocol)
      throw refused(`${formatFlowKey(key)} selects version ${mark} of another family or protocol`);
    return version;
  }

  #select(text: string, key: FlowKey, version: Version | undefined): void {
    const flow = this.#flows.get(text);
    if (flow) flow.version.flows--;
    if (version) {
      version.flows++;
      this.#flows.set(text, { key, version });
    } else this.#flows.delete(text);
  }
}

function refused(message: string): TrimaranError {
  return new TrimaranError('TRANSLATION_REFUSED', message);
}
