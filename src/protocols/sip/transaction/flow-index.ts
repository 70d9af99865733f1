/**
 * Which transactions sent their last message over which flow, so that the failure of a flow finds them without a search. Those of a flow
 * are a list through the entries themselves: a server under load has a hundred thousand of them over a few flows.
 */
import type { SipFlow } from '../transport/sip-transport.ts';

/** The index alone writes these. */
export interface FlowEntry<Entry> {
  flow: SipFlow | undefined;
  before: Entry | undefined;
  behind: Entry | undefined;
}

export class FlowIndex<Entry extends FlowEntry<Entry>> {
  /** The latest of each flow. */
  readonly #latest = new Map<SipFlow, Entry>();

  note(entry: Entry, flow: SipFlow): void {
    if (entry.flow === flow) return;
    this.remove(entry);
    const before = this.#latest.get(flow);
    entry.flow = flow;
    entry.before = before;
    if (before !== undefined) before.behind = entry;
    this.#latest.set(flow, entry);
  }

  remove(entry: Entry): void {
    const { flow, before, behind } = entry;
    if (flow === undefined) return;
    if (before !== undefined) before.behind = behind;
    if (behind !== undefined) behind.before = before;
    else if (before !== undefined) this.#latest.set(flow, before);
    else this.#latest.delete(flow);
    entry.flow = undefined;
    entry.before = undefined;
    entry.behind = undefined;
  }

  /** A snapshot, in the order of their messages: what is done to the entries may change the index. */
  entriesOf(flow: SipFlow): Entry[] {
    const entries: Entry[] = [];
    for (let entry = this.#latest.get(flow); entry !== undefined; entry = entry.before) entries.push(entry);
    return entries.reverse();
  }
}
