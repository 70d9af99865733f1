/**
 * Draws trace entries as a message ladder, the form of TRIM figures 4 and 6: a column per node, an arrow per message.
 *
 *      mn        p-cscf       s-cscf       trim-as
 *      │──INVITE───▶│            │            │
 *      │            │──INVITE───▶│            │
 *
 * An arrow stands where its message was sent; one that never arrived ends in "x". Nodes that record nothing appear through what the
 * others sent to them.
 */
import type { Instant } from '../base/instant.ts';
import type { TraceEntry } from '../base/trace.ts';

export interface LadderOptions {
  /** The columns from left to right; nodes that are not named are left out with all their messages. */
  readonly nodes: readonly string[];
  /** Which node has an address that no entry tells, by transport address or by IP address. */
  readonly owners?: ReadonlyMap<string, string>;
  /** The text on an arrow; by default the method or the status line. */
  readonly label?: (entry: TraceEntry) => string;
  /** The widest line; 80 by default. */
  readonly width?: number;
}

export interface LadderArrow {
  readonly at: Instant;
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly isLost: boolean;
}

/** Lines of text: a heading, then one line per arrow. */
export function formatLadder(entries: readonly TraceEntry[], options: LadderOptions): string[] {
  const columnWidth = Math.floor((options.width ?? 80) / options.nodes.length);
  const heading = options.nodes.map((node) => centred(node.slice(0, columnWidth - 1), columnWidth)).join('');
  const arrows = ladderArrows(entries, options).map((arrow) =>
    formatArrow(arrow, options.nodes, columnWidth),
  );
  return [heading.trimEnd(), ...arrows];
}

/** The messages between the nodes, each once, in the order in which they were sent. */
export function ladderArrows(entries: readonly TraceEntry[], options: LadderOptions): LadderArrow[] {
  const inOrder = untranslated([...entries].sort((a, b) => a.at - b.at));
  const ownerOf = ownership(inOrder, options.owners ?? new Map());
  const recorders = new Set(inOrder.map((entry) => entry.node));
  const arrivals = new Map<string, number>();
  for (const entry of inOrder)
    if (entry.direction === 'received')
      arrivals.set(identity(entry), (arrivals.get(identity(entry)) ?? 0) + 1);
  const arrows: LadderArrow[] = [];
  for (const entry of inOrder) {
    const [from, to] = [ownerOf(entry.from), ownerOf(entry.to)];
    if (from === undefined || to === undefined) continue;
    if (!options.nodes.includes(from) || !options.nodes.includes(to)) continue;
    if (entry.direction === 'received' && recorders.has(from)) continue;
    const left = arrivals.get(identity(entry)) ?? 0;
    if (entry.direction === 'sent') arrivals.set(identity(entry), left - 1);
    const isLost = entry.direction === 'sent' && recorders.has(to) && left <= 0;
    arrows.push({ at: entry.at, from, to, label: (options.label ?? defaultLabel)(entry), isLost });
  }
  return arrows;
}

/** "INVITE" for a request, "200 OK" or "200 (CANCEL)" where it does not go without saying. */
function defaultLabel(entry: TraceEntry): string {
  if (entry.protocol !== 'sip') return entry.summary;
  const method = /^[A-Z]+(?= )/.exec(entry.summary)?.[0];
  return method ?? entry.summary.replace(/ \((?:INVITE|REGISTER)\)$/, '');
}

function identity(entry: TraceEntry): string {
  return JSON.stringify([entry.from, entry.to, entry.summary, entry.details]);
}

/** Behind address translation the receiver saw another sender, who gets the answers: the same message tells who that was. */
function untranslated(entries: readonly TraceEntry[]): readonly TraceEntry[] {
  const messageOf = ({ to, summary, details }: TraceEntry): string => JSON.stringify([to, summary, details]);
  const senders = new Map<string, string>();
  for (const entry of entries) if (entry.direction === 'sent') senders.set(messageOf(entry), entry.from);
  const originals = new Map<string, string>();
  for (const entry of entries) {
    const sender = entry.direction === 'received' ? senders.get(messageOf(entry)) : undefined;
    if (sender !== undefined && sender !== entry.from) originals.set(entry.from, sender);
  }
  if (originals.size === 0) return entries;
  const original = (address: string): string => originals.get(address) ?? address;
  return entries.map((entry) => ({ ...entry, from: original(entry.from), to: original(entry.to) }));
}

/** Whoever records an entry owns its near end; a transport address outranks an IP address, which several nodes may share. */
function ownership(
  entries: readonly TraceEntry[],
  known: ReadonlyMap<string, string>,
): (transportAddress: string) => string | undefined {
  const exact = new Map<string, string>();
  const byAddress = new Map<string, string>();
  for (const entry of entries) {
    const near = entry.direction === 'sent' ? entry.from : entry.to;
    exact.set(near, entry.node);
    byAddress.set(addressOf(near), entry.node);
  }
  return (text) =>
    exact.get(text) ?? known.get(text) ?? known.get(addressOf(text)) ?? byAddress.get(addressOf(text));
}

function addressOf(transportAddress: string): string {
  return transportAddress.slice(0, transportAddress.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

function formatArrow(arrow: LadderArrow, nodes: readonly string[], columnWidth: number): string {
  const middle = (index: number): number => index * columnWidth + Math.floor(columnWidth / 2);
  const line = Array.from({ length: nodes.length * columnWidth }, () => ' ');
  nodes.forEach((_, index) => {
    line[middle(index)] = '│';
  });
  const [from, to] = [nodes.indexOf(arrow.from), nodes.indexOf(arrow.to)];
  if (from === to) return drawLoop(line, arrow.label, middle(from), columnWidth);
  const [left, right] = [middle(Math.min(from, to)), middle(Math.max(from, to))];
  const shaft = drawShaft(arrow, right - left - 1, from < to);
  line.splice(left + 1, right - left - 1, ...shaft);
  return line.join('').trimEnd();
}

/** A message of a node to itself stands beside its line: to the right, or to the left of the last one. */
function drawLoop(line: string[], label: string, at: number, columnWidth: number): string {
  const text = `↩ ${label}`.slice(0, columnWidth - 2);
  const start = at + 1 + text.length < line.length ? at + 1 : at - text.length;
  line.splice(start, text.length, ...text);
  return line.join('').trimEnd();
}

/** The label in the middle of the line, an arrow head (or the "x" of a lost message) at the receiver's end. */
function drawShaft(arrow: LadderArrow, length: number, isRightward: boolean): string[] {
  const room = length - 3;
  const label = arrow.label.length <= room ? arrow.label : `${arrow.label.slice(0, room - 1)}…`;
  const before = Math.floor((length - 1 - label.length) / 2);
  const after = length - 1 - label.length - before;
  const shaft = `${'─'.repeat(before)}${label}${'─'.repeat(after)}`;
  if (isRightward) return [...shaft, arrow.isLost ? 'x' : '▶'];
  return [arrow.isLost ? 'x' : '◀', ...shaft];
}

function centred(text: string, width: number): string {
  const before = Math.floor((width - text.length + 1) / 2);
  return `${' '.repeat(before)}${text}`.padEnd(width);
}
