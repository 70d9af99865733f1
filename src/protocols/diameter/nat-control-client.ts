/**
 * The NAT controller's side of Diameter NAT control (RFC 6736 §4), as the TRIM AS needs it: media components in, components with the
 * translator's addresses out. It shares the AS's DiameterEndpoint and is fed that endpoint's events.
 * A session has at most one request outstanding (RFC 6736 §5.3): the others wait in its queue. A session whose end could not be told
 * to an unreachable translator is ended when the translator is back. Leaves out ASR, accounting, templates.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { type Avps, avpValue, avpValues } from './avp.ts';
import { closeAvp, encodeAvps, openAvp, writeAvp } from './avp-writing.ts';
import type { DiameterEvent, OutgoingRequest, RequestFailure } from './diameter-event.ts';
import { baseAvps, diameterLogout } from './dictionary/base.ts';
import type { CommandDefinition } from './dictionary/dictionary.ts';
import {
  followInternalPortStyle,
  natControlAvps,
  natControlCommands,
  natRequestType,
} from './dictionary/nat-control.ts';
import type { DiameterEndpoint } from './endpoint.ts';
import { maximumQueuedNatRequests, maximumUnendedSessions } from './limits.ts';
import {
  componentsOf,
  decodeDefinition,
  type NatComponent,
  type NatDefinition,
  writeComponents,
} from './nat-control.ts';
import type { OctetWriter } from './octet-writer.ts';
import { resultCode } from './result-code.ts';

export type NatRequestId = number;

/** A mobile session at one translator; the controller keeps it. */
export interface NatSession {
  readonly sessionId: string;
  /** The translator's Origin-Host. */
  readonly translator: string;
}

export type NatControlEvent =
  /** In force at the translator. `components`: those of the request that had addresses, then the new ones; for a query, all of the session. */
  | {
      readonly kind: 'request-completed';
      readonly request: NatRequestId;
      readonly components: readonly NatComponent[];
    }
  | {
      readonly kind: 'request-refused';
      readonly request: NatRequestId;
      readonly resultCode: number;
      readonly errorMessage: string;
    }
  /** No answer: whether the request was carried out is not known. A query tells. */
  | { readonly kind: 'request-lost'; readonly request: NatRequestId; readonly reason: RequestFailure };

class QueuedRequest implements OutgoingRequest {
  readonly id: NatRequestId;
  readonly session: NatSession;
  readonly command: CommandDefinition;
  readonly avps: Avps;
  /** What a success puts in force, unless the answer has to tell. */
  readonly components: readonly NatComponent[] | undefined;

  constructor(id: NatRequestId, session: NatSession, { command, avps, components }: Command) {
    this.id = id;
    this.session = session;
    this.command = command;
    this.avps = avps;
    this.components = components;
  }

  get sessionId(): string {
    return this.session.sessionId;
  }
}

type Command = Pick<QueuedRequest, 'command' | 'avps' | 'components'>;

export class NatControlClient {
  readonly #endpoint: DiameterEndpoint;
  /** Per session: the outstanding request first, then those that wait. */
  readonly #queues = new TurnoverMap<string, QueuedRequest[]>();
  /** Sessions that are over, though their translator does not know yet. */
  readonly #unended = new Map<string, NatSession>();
  readonly #events = new Fifo<NatControlEvent>();
  #requests: NatRequestId = 0;

  constructor(endpoint: DiameterEndpoint) {
    this.#endpoint = endpoint;
  }

  /** Names a new session at that translator; `open` tells the translator. */
  createSession(translator: string): NatSession {
    return { sessionId: this.#endpoint.createSessionId(), translator };
  }

  /**
   * INITIAL_REQUEST: reserves x:a and y:b for each component; those with both ends known are in force with the answer.
   * Components that name x:a and y:b get these: so sessions are restored at a translator that has restarted.
   */
  open(session: NatSession, components: readonly NatComponent[], now: Instant): NatRequestId {
    return this.#enqueue(session, install(natRequestType.initial, components), now);
  }

  /**
   * UPDATE_REQUEST, one atomic change: components with x:a and y:b get new ends, those without are added. A handover is the same
   * components with another `mobileNode`.
   */
  update(session: NatSession, components: readonly NatComponent[], now: Instant): NatRequestId {
    return this.#enqueue(session, install(natRequestType.update, components), now);
  }

  /** UPDATE_REQUEST that takes components away. */
  remove(session: NatSession, components: readonly NatComponent[], now: Instant): NatRequestId {
    return this.#enqueue(session, remove(components), now);
  }

  /** QUERY_REQUEST: what the translator has, with counters. */
  query(session: NatSession, now: Instant): NatRequestId {
    return this.#enqueue(session, control(natRequestType.query), now);
  }

  /** STR: all bindings of the session go. */
  close(session: NatSession, now: Instant): NatRequestId {
    return this.#enqueue(session, termination, now);
  }

  /** Give it every event of the endpoint; true when the event was about one of its requests. */
  handleEvent(event: DiameterEvent, now: Instant): boolean {
    if (event.kind === 'peer-available') this.#endSessionsAt(event.peer, now);
    if (event.kind !== 'answer-received' && event.kind !== 'request-failed') return false;
    const queued = event.asked;
    if (!(queued instanceof QueuedRequest)) return false;
    if (event.kind === 'answer-received') this.#events.push(outcomeOf(queued, event.avps));
    else this.#lost(queued, event.reason);
    this.#sendNext(queued, now);
    return true;
  }

  pollEvent(): NatControlEvent | undefined {
    return this.#events.shift();
  }

  #enqueue(session: NatSession, command: Command, now: Instant): NatRequestId {
    const queued = new QueuedRequest(++this.#requests, session, command);
    const queue = this.#queues.get(session.sessionId);
    if (queue === undefined) {
      this.#queues.set(session.sessionId, [queued]);
      this.#endpoint.request(session.translator, queued, now);
    } else if (queue.length > maximumQueuedNatRequests)
      this.#events.push({ kind: 'request-lost', request: queued.id, reason: 'too-many-outstanding' });
    else queue.push(queued);
    return queued.id;
  }

  #sendNext({ session: { sessionId, translator } }: QueuedRequest, now: Instant): void {
    const queue = this.#queues.get(sessionId);
    queue?.shift();
    const next = queue?.[0];
    if (next === undefined) this.#queues.delete(sessionId);
    else this.#endpoint.request(translator, next, now);
  }

  #lost(queued: QueuedRequest, reason: RequestFailure): void {
    this.#events.push({ kind: 'request-lost', request: queued.id, reason });
    const isEnd = queued.command === natControlCommands.sessionTermination;
    if (isEnd && this.#unended.size < maximumUnendedSessions)
      this.#unended.set(queued.session.sessionId, queued.session);
  }

  #endSessionsAt(translator: string, now: Instant): void {
    for (const session of [...this.#unended.values()]) {
      if (session.translator !== translator) continue;
      this.#unended.delete(session.sessionId);
      this.close(session, now);
    }
  }
}

const termination: Command = {
  command: natControlCommands.sessionTermination,
  avps: encodeAvps((writer) => writeAvp(writer, baseAvps.terminationCause, diameterLogout)),
  components: [],
};

/** An NCR of that type; `write` writes what is behind its type. */
function control(
  requestType: number,
  write?: (writer: OctetWriter) => void,
  components?: readonly NatComponent[],
): Command {
  const avps = encodeAvps((writer) => {
    writeAvp(writer, natControlAvps.requestType, requestType);
    write?.(writer);
  });
  return { command: natControlCommands.natControl, avps, components };
}

/** When all components name x:a and y:b, a success says no more than that: its answer, which holds them once more, need not be read. */
function install(type: number, components: readonly NatComponent[]): Command {
  const write = (writer: OctetWriter) => {
    const start = openAvp(writer, natControlAvps.install);
    writeComponents(writer, components);
    writeAvp(writer, natControlAvps.externalPortStyle, followInternalPortStyle);
    closeAvp(writer, start);
  };
  return control(type, write, components.every(isBound) ? components : undefined);
}

function isBound({ towardsCorrespondent, towardsMobileNode }: NatComponent): boolean {
  return towardsCorrespondent?.port !== undefined && towardsMobileNode?.port !== undefined;
}

function remove(components: readonly NatComponent[]): Command {
  return control(natRequestType.update, (writer) => {
    const start = openAvp(writer, natControlAvps.remove);
    writeComponents(writer, components);
    closeAvp(writer, start);
  });
}

function outcomeOf({ id: request, components: asked }: QueuedRequest, avps: Avps): NatControlEvent {
  const code = avpValue(avps, baseAvps.resultCode) ?? resultCode.unableToComply;
  if (code !== resultCode.success) return refused(request, code, avpValue(avps, baseAvps.errorMessage) ?? '');
  if (asked !== undefined) return { kind: 'request-completed', request, components: asked };
  const definitions: NatDefinition[] = [];
  for (const group of avpValues(avps, natControlAvps.definition)) {
    const definition = decodeDefinition(group);
    if (isMalformed(definition)) return refused(request, resultCode.invalidAvpValue, definition.toString());
    definitions.push(definition);
  }
  const components = componentsOf(definitions);
  return components === undefined
    ? refused(request, resultCode.invalidAvpValue, 'definitions of the answer do not pair')
    : { kind: 'request-completed', request, components };
}

function refused(request: NatRequestId, code: number, errorMessage: string): NatControlEvent {
  return { kind: 'request-refused', request, resultCode: code, errorMessage };
}
