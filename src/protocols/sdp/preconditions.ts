/**
 * Quality-of-service preconditions of one stream (RFC 3312, updated by RFC 4032): what is reserved, what must be, and what the peer is
 * asked to confirm. Other precondition types than "qos" stay untouched in the description.
 */
import { linesOf, type MediaDescription, withMediaLines } from './session-description.ts';

export type StatusType = 'e2e' | 'local' | 'remote';
export type ReservedDirection = 'none' | 'send' | 'recv' | 'sendrecv';
export type Strength = 'mandatory' | 'optional' | 'none' | 'failure' | 'unknown';

export interface DesiredStatus {
  readonly strength: Strength;
  readonly statusType: StatusType;
  readonly direction: ReservedDirection;
}

/** As the sender of the description sees it: "local" is the sender's own access network. */
export interface Preconditions {
  readonly current: ReadonlyMap<StatusType, ReservedDirection>;
  readonly desired: readonly DesiredStatus[];
  /** At which status the receiver of the description shall send a new offer (RFC 3312 §7). */
  readonly confirm: ReadonlyMap<StatusType, ReservedDirection>;
}

const statusLine = /^a=(curr|conf):qos (e2e|local|remote) (none|send|recv|sendrecv)\s*$/;
const desiredLine =
  /^a=des:qos (mandatory|optional|none|failure|unknown) (e2e|local|remote) (none|send|recv|sendrecv)\s*$/;

/** `undefined` when the stream has no precondition. Lines that break the grammar are passed over, as unknown attributes are. */
export function preconditionsOf(media: MediaDescription): Preconditions | undefined {
  if (!media.text.includes(':qos ')) return undefined;
  const current = new Map<StatusType, ReservedDirection>();
  const confirm = new Map<StatusType, ReservedDirection>();
  const desired: DesiredStatus[] = [];
  for (const line of linesOf(media)) {
    const status = statusLine.exec(line);
    if (status !== null) {
      const table = status[1] === 'curr' ? current : confirm;
      table.set(status[2] as StatusType, status[3] as ReservedDirection);
    }
    const desire = desiredLine.exec(line);
    if (desire !== null) {
      const [, strength, statusType, direction] = desire as unknown as [
        string,
        Strength,
        StatusType,
        ReservedDirection,
      ];
      desired.push({ strength, statusType, direction });
    }
  }
  return current.size + desired.length === 0 ? undefined : { current, desired, confirm };
}

/** Whether every mandatory status is reached (RFC 3312 §4, §6): then the session may go on. */
export function arePreconditionsMet(preconditions: Preconditions): boolean {
  return preconditions.desired.every(
    ({ strength, statusType, direction }) =>
      strength !== 'mandatory' || covers(preconditions.current.get(statusType) ?? 'none', direction),
  );
}

/** The same facts seen from the other end (RFC 3312 §5.2, table 4): local ↔ remote, send ↔ recv. Confirmation is not carried over. */
export function invertPreconditions(preconditions: Preconditions): Preconditions {
  return {
    current: new Map(
      [...preconditions.current].map(([type, direction]) => [invertedType[type], inverted[direction]]),
    ),
    desired: preconditions.desired.map(({ strength, statusType, direction }) => ({
      strength,
      statusType: invertedType[statusType],
      direction: inverted[direction],
    })),
    confirm: new Map(),
  };
}

/**
 * The answer to an offer (RFC 3312 §5.2): inverted, with what the answerer has reserved on its own side. What the offerer still has
 * to reserve is made mandatory (strengths may be raised) and its confirmation asked for, since the answerer cannot see it (§6).
 */
export function answerPreconditions(offer: Preconditions, reserved: ReservedDirection): Preconditions {
  const { current, desired } = invertPreconditions(offer);
  const missing = desired.find(
    ({ strength, statusType, direction }) =>
      strength === 'mandatory' &&
      statusType !== 'local' &&
      !covers(current.get(statusType) ?? 'none', direction),
  );
  return {
    current: current.has('e2e') ? current : new Map(current).set('local', reserved),
    desired: desired.map((entry) =>
      entry.statusType === 'local' && entry.strength === 'none' ? { ...entry, strength: 'mandatory' } : entry,
    ),
    confirm: new Map(missing === undefined ? [] : [[missing.statusType, missing.direction]]),
  };
}

/** The stream with these preconditions in the place of its own; `undefined` takes them away. */
export function withPreconditions(
  media: MediaDescription,
  preconditions: Preconditions | undefined,
): MediaDescription {
  const [, ...lines] = linesOf(media);
  const first = lines.findIndex(isPreconditionLine);
  const rest = lines.filter((line) => !isPreconditionLine(line));
  const added = preconditions === undefined ? [] : format(preconditions);
  return withMediaLines(media, rest.toSpliced(first < 0 ? rest.length : first, 0, ...added));
}

function isPreconditionLine(line: string): boolean {
  return /^a=(?:curr|des|conf):qos /.test(line);
}

function format({ current, desired, confirm }: Preconditions): string[] {
  return [
    ...[...current].map(([type, direction]) => `a=curr:qos ${type} ${direction}`),
    ...desired.map(
      ({ strength, statusType, direction }) => `a=des:qos ${strength} ${statusType} ${direction}`,
    ),
    ...[...confirm].map(([type, direction]) => `a=conf:qos ${type} ${direction}`),
  ];
}

function covers(current: ReservedDirection, wanted: ReservedDirection): boolean {
  return wanted === 'none' || current === 'sendrecv' || current === wanted;
}

const invertedType = { e2e: 'e2e', local: 'remote', remote: 'local' } as const;
const inverted = { none: 'none', send: 'recv', recv: 'send', sendrecv: 'sendrecv' } as const;
