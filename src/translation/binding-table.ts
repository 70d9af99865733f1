/**
 * The bindings of a home network's address translator (TRIM Fig. 2; §3.2, §3.4), as operations for an engine. One binding is one
 * transport of one media component:
 *
 *     correspondent c:q  <-->  x:a [translator] y:b  <-->  m:p mobile node
 *
 * c:q sends to x:a and m:p sends to y:b; neither ever sees the other's address, and x:a never changes, nor does y:b unless m is of another
 * version of IP than before, which has a y:b of its own. In TCP the end that opens the connection picks its port, which is then kept on both
 * sides of the translator instead of being bound.
 *
 *     install ──> [m accepted, downlink to m] ──accept(m2)──> [m, m2 accepted] ──move(m2)──> [downlink to m2, m accepted until
 *     grace time ends] ──timeout──> [m2 accepted]        release, from anywhere ──> nothing
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import { familyOf } from '../base/ip-address.ts';
import type { Timeout } from '../base/machine.ts';
import type { TransportAddress } from '../base/network.ts';
import { ownText } from '../base/own-text.ts';
import { emptyList } from '../base/short-list.ts';
import { TurnoverMap } from '../base/turnover-map.ts';
import {
  type FlowKey,
  formatFlowKey,
  type Mark,
  type Rewrite,
  type TranslationOperation,
  type TransportProtocol,
} from './translation-operation.ts';

export interface Binding {
  readonly id: string;
  readonly protocol: TransportProtocol;
  /** TCP only: who opens the connection. That end's port is not known and the ones given for it and its stand-in are not used. */
  readonly activeEnd?: 'mobile-node' | 'correspondent-node';
  /** c:q */
  readonly correspondent: TransportAddress;
  /** x:a, the mobile node as the correspondent sees it. */
  readonly towardsCorrespondent: TransportAddress;
  /** y:b, the correspondent as the mobile node sees it; of the version of IP of m. */
  readonly towardsMobileNode: TransportAddress;
  /** m:p */
  readonly mobileNode: TransportAddress;
}

/** A change that an engine has still to carry out; `undo` puts the table back as it was when the engine refuses. */
export interface BindingChange {
  readonly operations: readonly TranslationOperation[];
  readonly undo: () => void;
}

export interface BindingTableOptions {
  /** How long the mobile node's former address stays accepted after a move: the longest a packet may be under way. */
  readonly graceTimeMs: DurationMs;
}

/** A mobile node's address whose packets are accepted, with the flow that they belong to. */
interface Acceptance {
  readonly address: string;
  readonly key: FlowKey;
  /** The key as text. */
  readonly name: string;
}

interface Entry {
  readonly binding: Binding;
  readonly downlinkKey: FlowKey;
  readonly uplinkMark: Mark;
  readonly downlinkMark: Mark;
  readonly accepted: readonly Acceptance[];
  /** What goes when the grace time is over. */
  readonly retiring: readonly {
    readonly at: Instant;
    readonly mark?: Mark;
    readonly acceptance?: Acceptance;
  }[];
}

export class BindingTable {
  readonly #graceTimeMs: DurationMs;
  readonly #entries = new TurnoverMap<string, Entry>();
  /** The flows of all bindings, as text. */
  readonly #names = new Set<string>();
  readonly #marks = new Set<Mark>();
  /** In order of time, since every grace time is equally long. An entry may be stale: its binding gone, or its move undone. */
  readonly #deadlines: { readonly at: Instant; readonly id: string }[] = [];
  #lastMark: Mark = 0;

  constructor(options: BindingTableOptions) {
    this.#graceTimeMs = options.graceTimeMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Binding | undefined {
    return this.#entries.get(id)?.binding;
  }

  /** Whether the flows of a binding are free: by it the pool chooses addresses (`PortRequest.suits`). */
  isFree(binding: Binding): boolean {
    const keys = [downlinkKeyOf(binding), uplinkKeyOf(binding, binding.mobileNode.address)];
    return keys.every((key) => !this.#names.has(formatFlowKey(key)));
  }

  /** The flows of a binding, as for their counters: the downlink, then an uplink for each accepted address. Empty when it is unknown. */
  flowsOf(id: string): readonly FlowKey[] {
    const entry = this.#entries.get(id);
    return entry === undefined ? [] : [entry.downlinkKey, ...entry.accepted.map(({ key }) => key)];
  }

  /** Undefined when the id or one of the two flows is taken. */
  install(binding: Binding): BindingChange | undefined {
    if (this.#entries.has(binding.id) || !this.isFree(binding)) return undefined;
    const [uplinkMark, downlinkMark] = [this.#newMark(), this.#newMark()];
    const downlinkKey = downlinkKeyOf(binding);
    const acceptance = acceptanceOf(binding, binding.mobileNode.address);
    const entry = {
      binding,
      downlinkKey,
      uplinkMark,
      downlinkMark,
      accepted: [acceptance],
      retiring: emptyList,
    };
    return this.#change(binding.id, entry, [
      defineVersion(binding, uplinkMark, uplinkRewrite(binding)),
      defineVersion(binding, downlinkMark, downlinkRewrite(binding)),
      selectVersion(acceptance.key, uplinkMark),
      selectVersion(downlinkKey, downlinkMark),
    ]);
  }

  /**
   * Accepts packets from another address of the mobile node, before anything is sent there; they go to that y:b, by default the present
   * one. Undefined when that flow is taken.
   */
  accept(id: string, address: string, towardsMobileNode?: TransportAddress): BindingChange | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const reached = towardsMobileNode === undefined ? entry.binding : { ...entry.binding, towardsMobileNode };
    // Still accepted from before (the node came back within the grace time): it must not be retired any more.
    const retiring = entry.retiring.filter(({ acceptance }) => acceptance?.address !== address);
    if (entry.accepted.some((one) => one.address === address))
      return this.#change(id, { ...entry, retiring }, []);
    const acceptance = acceptanceOf(reached, address);
    if (this.#names.has(acceptance.name)) return undefined;
    const accepted = [...entry.accepted, acceptance];
    return this.#change(id, { ...entry, accepted, retiring }, [
      selectVersion(acceptance.key, entry.uplinkMark),
    ]);
  }

  /**
   * Sends the downlink to the mobile node's new address: one element change. Its former addresses stay accepted for the grace time.
   * One of the other version of IP comes with its y:b. Undefined when the binding is unknown or the new uplink flow is taken.
   */
  move(
    id: string,
    mobileNode: TransportAddress,
    now: Instant,
    towardsMobileNode?: TransportAddress,
  ): BindingChange | undefined {
    const acceptance = this.accept(id, mobileNode.address, towardsMobileNode);
    const entry = this.#entries.get(id);
    if (acceptance === undefined || entry === undefined) return undefined;
    // Where the correspondent opens the connection, the node listens on a port that cannot change while the connection lives.
    const { address } = mobileNode;
    const port =
      entry.binding.activeEnd === 'correspondent-node' ? entry.binding.mobileNode.port : mobileNode.port;
    const binding = {
      ...entry.binding,
      mobileNode: { address, port },
      ...(towardsMobileNode && { towardsMobileNode }),
    };
    const downlinkMark = this.#newMark();
    const at = now + this.#graceTimeMs;
    const isRetiring = (one: Acceptance) => entry.retiring.some((other) => other.acceptance === one);
    const former = entry.accepted.filter((one) => one.address !== address && !isRetiring(one));
    const retired = [{ at, mark: entry.downlinkMark }, ...former.map((one) => ({ at, acceptance: one }))];
    const change = this.#change(
      id,
      { ...entry, binding, downlinkMark, retiring: [...entry.retiring, ...retired] },
      [
        ...acceptance.operations,
        defineVersion(binding, downlinkMark, downlinkRewrite(binding)),
        selectVersion(entry.downlinkKey, downlinkMark),
      ],
    );
    this.#deadlines.push({ at, id });
    return {
      operations: change.operations,
      undo: () => {
        change.undo();
        acceptance.undo();
      },
    };
  }

  /** Ends a binding at once. Undefined when it is unknown. */
  release(id: string): BindingChange | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    return this.#change(id, undefined, [
      deselect(entry.downlinkKey),
      ...entry.accepted.map(({ key }) => deselect(key)),
      ...marksOf(entry).map(forgetVersion),
    ]);
  }

  pollTimeout(): Timeout | undefined {
    const [first] = this.#deadlines;
    return first && { at: first.at, reason: 'grace time after a handover' };
  }

  /** Ends the acceptance of former addresses whose grace time is over; the operations are empty when there is none. */
  handleTimeout(now: Instant): BindingChange {
    const due = this.#deadlines.findIndex(({ at }) => at > now);
    const over = this.#deadlines.splice(0, due === -1 ? this.#deadlines.length : due);
    const changes = [...new Set(over.map(({ id }) => id))].flatMap((id) => this.#retire(id, now) ?? []);
    return {
      operations: changes.flatMap(({ operations }) => operations),
      undo: () => {
        for (const change of changes) change.undo();
      },
    };
  }

  #retire(id: string, now: Instant): BindingChange | undefined {
    const entry = this.#entries.get(id);
    const over = entry?.retiring.filter(({ at }) => at <= now) ?? [];
    if (entry === undefined || over.length === 0) return undefined;
    const ended = over.flatMap(({ acceptance }) => acceptance ?? []);
    const accepted = entry.accepted.filter((one) => !ended.includes(one));
    const retiring = entry.retiring.filter(({ at }) => at > now);
    return this.#change(id, { ...entry, accepted, retiring }, [
      ...ended.map(({ key }) => deselect(key)),
      ...over.flatMap(({ mark }) => mark ?? []).map(forgetVersion),
    ]);
  }

  #change(id: string, after: Entry | undefined, operations: readonly TranslationOperation[]): BindingChange {
    const before = this.#entries.get(id);
    this.#replace(id, before, after);
    return { operations, undo: () => this.#replace(id, after, before) };
  }

  #replace(id: string, old: Entry | undefined, entry: Entry | undefined): void {
    if (old) {
      for (const mark of marksOf(old)) this.#marks.delete(mark);
      for (const one of old.accepted) if (!entry?.accepted.includes(one)) this.#names.delete(one.name);
      if (!entry) this.#names.delete(formatFlowKey(old.downlinkKey));
    }
    if (entry) {
      for (const mark of marksOf(entry)) this.#marks.add(mark);
      for (const one of entry.accepted) if (!old?.accepted.includes(one)) this.#names.add(one.name);
      if (!old) this.#names.add(ownText(formatFlowKey(entry.downlinkKey)));
      this.#entries.set(id, entry);
    } else this.#entries.delete(id);
  }

  /** Round 2^24 marks, the space that a mobile node's translator has too, past those in use. */
  #newMark(): Mark {
    do this.#lastMark = this.#lastMark === 0xff_ffff ? 1 : this.#lastMark + 1;
    while (this.#marks.has(this.#lastMark));
    return this.#lastMark;
  }
}

function marksOf(entry: Entry): Mark[] {
  return [entry.uplinkMark, entry.downlinkMark, ...entry.retiring.flatMap(({ mark }) => mark ?? [])];
}

function acceptanceOf(binding: Binding, address: string): Acceptance {
  const key = uplinkKeyOf(binding, address);
  return { address, key, name: ownText(formatFlowKey(key)) };
}

function uplinkKeyOf(
  { protocol, activeEnd, towardsMobileNode, mobileNode }: Binding,
  source: string,
): FlowKey {
  const isPortKept = activeEnd === 'correspondent-node';
  return {
    family: familyOf(source),
    protocol,
    source,
    destination: towardsMobileNode.address,
    port: isPortKept ? mobileNode.port : towardsMobileNode.port,
    portOf: isPortKept ? 'source' : 'destination',
  };
}

function downlinkKeyOf({ protocol, activeEnd, correspondent, towardsCorrespondent }: Binding): FlowKey {
  const isPortKept = activeEnd === 'mobile-node';
  return {
    family: familyOf(correspondent.address),
    protocol,
    source: correspondent.address,
    destination: towardsCorrespondent.address,
    port: isPortKept ? correspondent.port : towardsCorrespondent.port,
    portOf: isPortKept ? 'source' : 'destination',
  };
}

function uplinkRewrite({ activeEnd, towardsCorrespondent, correspondent }: Binding): FullRewrite {
  return {
    source: towardsCorrespondent.address,
    ...(activeEnd !== 'mobile-node' && { sourcePort: towardsCorrespondent.port }),
    destination: correspondent.address,
    ...(activeEnd !== 'correspondent-node' && { destinationPort: correspondent.port }),
  };
}

function downlinkRewrite({ activeEnd, towardsMobileNode, mobileNode }: Binding): FullRewrite {
  return {
    source: towardsMobileNode.address,
    ...(activeEnd !== 'correspondent-node' && { sourcePort: towardsMobileNode.port }),
    destination: mobileNode.address,
    ...(activeEnd !== 'mobile-node' && { destinationPort: mobileNode.port }),
  };
}

type FullRewrite = Rewrite & { readonly destination: string };

function defineVersion({ protocol }: Binding, mark: Mark, rewrite: FullRewrite): TranslationOperation {
  return { kind: 'define-version', mark, family: familyOf(rewrite.destination), protocol, rewrite };
}

function selectVersion(key: FlowKey, mark: Mark): TranslationOperation {
  return { kind: 'select-version', key, mark };
}

function deselect(key: FlowKey): TranslationOperation {
  return { kind: 'deselect', key };
}

function forgetVersion(mark: Mark): TranslationOperation {
  return { kind: 'forget-version', mark };
}
