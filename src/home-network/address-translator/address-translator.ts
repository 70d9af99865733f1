/**
 * The address translator of the home network (TRIM Fig. 2, §3.2): the NAT device of Diameter NAT control (RFC 6736). A TRIM AS asks by NCR,
 * the kernel's engine carries out, and the answer goes out only when the bindings are in force.
 *
 *     NCR ──▶ sessions, pool, binding table ──▶ effect `translate` ──▶ engine ──`effect-completed`──▶ NCA
 *
 * A handover is one UPDATE: all components of the session change in one transaction, the mobile node's former address stays accepted
 * for the grace time. Bindings of a controller that is gone, or that came back without asking for them, are removed after its grace time.
 * Leaves out: queries by address, binding templates, ASR, accounting.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import { Fifo } from '../../base/fifo.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { avpValue, optionalAvp } from '../../protocols/diameter/avp.ts';
import { encodeAvps } from '../../protocols/diameter/avp-writing.ts';
import { resultAvps } from '../../protocols/diameter/capabilities.ts';
import type { DiameterEvent, ReceivedRequestId } from '../../protocols/diameter/diameter-event.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import {
  natControlApplication,
  natControlAvps,
  natControlCommands,
  natRequestType,
} from '../../protocols/diameter/dictionary/nat-control.ts';
import { DiameterEndpoint, type DiameterEndpointOptions } from '../../protocols/diameter/endpoint.ts';
import { type NatComponent, writeDefinition } from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import { AddressPool, type AddressPoolOptions } from '../../translation/address-pool.ts';
import { BindingTable } from '../../translation/binding-table.ts';
import type { FlowKey, TranslationOperation } from '../../translation/translation-operation.ts';
import {
  bindingsOfSession,
  defaultControllerGraceTimeMs,
  defaultGraceTimeMs,
  defaultMaximumSessions,
  shareOfController,
} from './limits.ts';
import { answerAvps, type FlowCounters, readRequest, toNatComponent } from './nat-messages.ts';
import { type SessionChange, SessionChanges } from './session-changes.ts';
import type { Refusal, SessionComponent } from './session-component.ts';

export interface AddressTranslatorOptions {
  /** Who we are, where we listen and which TRIM ASs may ask. */
  readonly diameter: Omit<DiameterEndpointOptions, 'applications'>;
  /** Addresses and ports that are this translator's alone. */
  readonly pool: AddressPoolOptions;
  /** Whether the engine translates between IPv4 and IPv6; it does by default. */
  readonly joinsVersions?: boolean;
  /** At once; default 50,000. */
  readonly maximumSessions?: number;
  /** How long the mobile node's former address stays accepted after a handover, ms. */
  readonly graceTimeMs?: DurationMs;
  /** How long the bindings of a controller that is gone are kept, ms. */
  readonly controllerGraceTimeMs?: DurationMs;
}

export type AddressTranslatorInput =
  | { readonly kind: 'effect-completed'; readonly id: number; readonly error?: string }
  /** In the order of the keys; an entry is absent where the engine does not count or has no such flow. */
  | {
      readonly kind: 'counters-read';
      readonly id: number;
      readonly counters: readonly (FlowCounters | undefined)[];
    };

export type AddressTranslatorEffect =
  /** One atomic transaction; answered by `effect-completed`. */
  | { readonly type: 'translate'; readonly id: number; readonly operations: readonly TranslationOperation[] }
  /** Answered by `counters-read`. */
  | { readonly type: 'read-counters'; readonly id: number; readonly keys: readonly FlowKey[] };

export type AddressTranslatorEvent =
  | { readonly kind: 'controller-available' | 'controller-unavailable'; readonly controller: string }
  | {
      readonly kind: 'session-changed';
      readonly sessionId: string;
      readonly controller: string;
      readonly components: readonly NatComponent[];
    }
  | {
      readonly kind: 'session-ended';
      readonly sessionId: string;
      readonly reason: 'asked' | 'controller-gone';
    }
  | { readonly kind: 'engine-failed'; readonly reason: string }
  | {
      readonly kind: 'request-refused';
      readonly sessionId: string;
      readonly resultCode: number;
      readonly reason: string;
    };

interface Session {
  readonly sessionId: string;
  controller: string;
  /** The controller's incarnation that last asked about the session. */
  incarnation: number;
  components: readonly SessionComponent[];
  /** A request is being carried out. */
  isBusy: boolean;
  isOrphaned: boolean;
}

interface Controller {
  isAvailable: boolean;
  /** Counts its restarts. */
  incarnation: number;
  sessions: number;
}

/** A transaction at the engine, and the request that it answers. */
interface Transaction {
  readonly session: Session;
  readonly change: SessionChange;
  readonly request: ReceivedRequestId | undefined;
  readonly requestType: number | undefined;
}

type RequestReceived = Extract<DiameterEvent, { kind: 'request-received' }>;

export class AddressTranslator
  implements NetworkFunction<AddressTranslatorInput, AddressTranslatorEvent, AddressTranslatorEffect>
{
  readonly #endpoint: DiameterEndpoint;
  readonly #table: BindingTable;
  readonly #changes: SessionChanges;
  readonly #controllerGraceTimeMs: DurationMs;
  readonly #maximumSessions: number;
  readonly #sessionsPerController: number;
  readonly #sessions = new TurnoverMap<string, Session>();
  readonly #controllers = new Map<string, Controller>();
  readonly #transactions = new TurnoverMap<number, Transaction>();
  readonly #counterReadings = new TurnoverMap<
    number,
    { readonly session: Session; readonly request: ReceivedRequestId }
  >();
  /** Controllers whose sessions are to be looked through. */
  readonly #deadlines = new DeadlineQueue<string>();
  readonly #outputs = new Fifo<EventOutput<AddressTranslatorEvent> | EffectOutput<AddressTranslatorEffect>>();
  #effects = 0;

  constructor(options: AddressTranslatorOptions) {
    this.#endpoint = new DiameterEndpoint({ ...options.diameter, applications: [natControlApplication] });
    const isShared = options.diameter.peers.length > 1;
    this.#maximumSessions = options.maximumSessions ?? defaultMaximumSessions;
    this.#sessionsPerController = this.#maximumSessions * (isShared ? shareOfController : 1);
    this.#table = new BindingTable({ graceTimeMs: options.graceTimeMs ?? defaultGraceTimeMs });
    this.#changes = new SessionChanges(
      new AddressPool(options.pool),
      this.#table,
      options.joinsVersions ?? true,
      bindingsOfSession * this.#maximumSessions,
    );
    this.#controllerGraceTimeMs = options.controllerGraceTimeMs ?? defaultControllerGraceTimeMs;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Components that hold addresses. */
  get bindings(): number {
    return this.#changes.size;
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  /** Takes leave of the controllers. The host takes the kernel state away. */
  stop(now: Instant): void {
    this.#endpoint.stop(now);
  }

  handleInput(input: NetworkInput | AddressTranslatorInput, now: Instant): void {
    if (input.kind === 'effect-completed') this.#effectCompleted(input.id, input.error, now);
    else if (input.kind === 'counters-read') this.#countersRead(input.id, input.counters);
    else this.#endpoint.handleInput(input, now);
    this.#drainEndpoint(now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    this.#drainEndpoint(now);
    for (
      let controller = this.#deadlines.takeDue(now);
      controller !== undefined;
      controller = this.#deadlines.takeDue(now)
    )
      this.#endOrphans(controller);
    this.#retire(now);
  }

  pollTimeout(): Timeout | undefined {
    const others = earlierTimeout(this.#endpoint.pollTimeout(), this.#deadlines.peek());
    return this.#transactions.size > 0 ? others : earlierTimeout(others, this.#table.pollTimeout());
  }

  pollOutput():
    | NetworkOutput
    | EventOutput<AddressTranslatorEvent>
    | EffectOutput<AddressTranslatorEffect>
    | undefined {
    return this.#outputs.shift() ?? this.#endpoint.pollOutput();
  }

  #drainEndpoint(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind === 'request-received') this.#requestReceived(event, now);
      else if (event.kind === 'peer-available') this.#controllerAvailable(event.peer, event.isRestarted, now);
      else if (event.kind === 'peer-unavailable') this.#controllerUnavailable(event.peer, now);
    }
  }

  #requestReceived(event: RequestReceived, now: Instant): void {
    const refusal = this.#carryOut(event, now);
    if (refusal !== undefined) this.#refuse(event, refusal);
  }

  #carryOut(event: RequestReceived, now: Instant): Refusal | undefined {
    // Queries by address, which have no Session-Id, are left out (RFC 6736 §4.3).
    if (event.sessionId === undefined) return { resultCode: resultCode.missingAvp, reason: 'no Session-Id' };
    const isEnd = event.command === natControlCommands.sessionTermination;
    const requestType = isEnd ? undefined : avpValue(event.avps, natControlAvps.requestType);
    if (requestType === natRequestType.initial) return this.#open(event, event.sessionId, now);
    const session = this.#sessions.get(event.sessionId);
    if (session === undefined) return { resultCode: resultCode.unknownSessionId, reason: 'no such session' };
    // RFC 6736 §5.3: not more than one outstanding request per session.
    if (session.isBusy) return { resultCode: resultCode.unableToComply, reason: 'a request is outstanding' };
    // Any TRIM AS may finish what another began.
    this.#claim(session, event.peer);
    if (isEnd) this.#end(session, event.request);
    else if (requestType === natRequestType.update) return this.#change(session, event, requestType, now);
    else if (requestType === natRequestType.query) this.#query(session, event.request);
    else return { resultCode: resultCode.invalidAvpValue, reason: 'NC-Request-Type' };
    return undefined;
  }

  #open(event: RequestReceived, sessionId: string, now: Instant): Refusal | undefined {
    if (this.#sessions.has(sessionId))
      return { resultCode: resultCode.sessionExists, reason: 'the session exists' };
    const controller = this.#controller(event.peer);
    if (this.#sessions.size >= this.#maximumSessions || controller.sessions >= this.#sessionsPerController)
      return { resultCode: resultCode.resourceFailure, reason: 'too many sessions' };
    const session: Session = {
      sessionId,
      controller: event.peer,
      incarnation: controller.incarnation,
      components: [],
      isBusy: false,
      isOrphaned: false,
    };
    const refusal = this.#change(session, event, natRequestType.initial, now);
    if (refusal !== undefined) return refusal;
    this.#sessions.set(sessionId, session);
    controller.sessions += 1;
    return undefined;
  }

  #change(session: Session, event: RequestReceived, requestType: number, now: Instant): Refusal | undefined {
    const request = readRequest(event.avps);
    if ('resultCode' in request) return request;
    const change = this.#changes.prepare(session.components, request, now);
    if ('resultCode' in change) return change;
    this.#transact({ session, change, request: event.request, requestType });
    return undefined;
  }

  #end(session: Session, request: ReceivedRequestId | undefined): void {
    const change = this.#changes.release(session.components);
    this.#transact({ session, change, request, requestType: undefined });
  }

  /** A request without anything for the engine, such as a reservation, is done at once. */
  #transact(transaction: Transaction): void {
    transaction.session.isBusy = true;
    const { operations } = transaction.change;
    const id = ++this.#effects;
    this.#transactions.set(id, transaction);
    if (operations.length === 0) this.#complete(id, transaction);
    else this.#outputs.push({ kind: 'effect', effect: { type: 'translate', id, operations } });
  }

  #effectCompleted(id: number, error: string | undefined, now: Instant): void {
    const transaction = this.#transactions.get(id);
    if (transaction === undefined) {
      // The end of a grace time, to which nobody waits for an answer.
      if (error !== undefined) this.#report({ kind: 'engine-failed', reason: error });
      return;
    }
    if (error === undefined) this.#complete(id, transaction);
    else this.#fail(id, transaction, error);
    const { session } = transaction;
    if (session.isOrphaned && this.#sessions.has(session.sessionId)) this.#end(session, undefined);
    this.#retire(now);
  }

  #complete(id: number, { session, change, request, requestType }: Transaction): void {
    this.#transactions.delete(id);
    session.isBusy = false;
    session.components = change.components;
    change.commit();
    if (requestType === undefined) {
      this.#forget(session);
      const reason = request === undefined ? 'controller-gone' : 'asked';
      this.#report({ kind: 'session-ended', sessionId: session.sessionId, reason });
      if (request !== undefined) this.#endpoint.answer(request, resultAvps(resultCode.success));
      return;
    }
    const { sessionId, controller } = session;
    const components = session.components.map((component) => toNatComponent(component));
    this.#report({ kind: 'session-changed', sessionId, controller, components });
    if (request !== undefined)
      this.#endpoint.answer(
        request,
        answerAvps(
          requestType,
          change.answered.map((one) => toNatComponent(one)),
        ),
      );
  }

  /** The engine refused: session and bindings are as they were (RFC 6736 §4.2). */
  #fail(id: number, { session, change, request, requestType }: Transaction, error: string): void {
    this.#transactions.delete(id);
    session.isBusy = false;
    change.undo();
    if (requestType === natRequestType.initial) this.#forget(session);
    if (request !== undefined)
      this.#refuse(
        { request, sessionId: session.sessionId },
        { resultCode: resultCode.bindingFailure, reason: error },
      );
  }

  #query(session: Session, request: ReceivedRequestId): void {
    const keys = session.components.flatMap((component) => this.#changes.flowsOf(component));
    const id = ++this.#effects;
    this.#counterReadings.set(id, { session, request });
    if (keys.length === 0) this.#countersRead(id, []);
    else this.#outputs.push({ kind: 'effect', effect: { type: 'read-counters', id, keys } });
  }

  #countersRead(id: number, counters: readonly (FlowCounters | undefined)[]): void {
    const reading = this.#counterReadings.get(id);
    if (reading === undefined) return;
    this.#counterReadings.delete(id);
    let next = 0;
    const components = reading.session.components.map((component) => {
      const { length } = this.#changes.flowsOf(component);
      next += length;
      return toNatComponent(component, counters.slice(next - length, next));
    });
    this.#endpoint.answer(reading.request, answerAvps(natRequestType.query, components));
  }

  #refuse(
    { request, sessionId }: { request: ReceivedRequestId; sessionId: string | undefined },
    refusal: Refusal,
  ): void {
    const { resultCode: code, reason, definition } = refusal;
    const isDuplicate = code === resultCode.sessionExists && sessionId !== undefined;
    this.#report({ kind: 'request-refused', sessionId: sessionId ?? '', resultCode: code, reason });
    this.#endpoint.answer(request, [
      ...resultAvps(code, reason),
      ...optionalAvp(
        baseAvps.failedAvp,
        definition && encodeAvps((writer) => writeDefinition(writer, definition)),
      ),
      ...optionalAvp(natControlAvps.duplicateSessionId, isDuplicate ? sessionId : undefined),
    ]);
  }

  #controllerAvailable(name: string, isRestarted: boolean, now: Instant): void {
    const controller = this.#controller(name);
    controller.isAvailable = true;
    this.#report({ kind: 'controller-available', controller: name });
    if (isRestarted) {
      // It has forgotten, or knows from elsewhere: what it does not ask for in time is nobody's (RFC 6736 §4.6).
      controller.incarnation += 1;
      this.#deadlines.set(name, now + this.#controllerGraceTimeMs, 'controller restarted');
    } else if (!this.#hasUnclaimed(name)) this.#deadlines.delete(name);
  }

  #controllerUnavailable(name: string, now: Instant): void {
    const controller = this.#controller(name);
    if (!controller.isAvailable) return;
    controller.isAvailable = false;
    this.#report({ kind: 'controller-unavailable', controller: name });
    this.#deadlines.set(name, now + this.#controllerGraceTimeMs, 'controller gone');
  }

  /** Ends what a controller has left behind: everything when it is gone, what it has not asked for when it has restarted. */
  #endOrphans(name: string): void {
    const { isAvailable, incarnation } = this.#controller(name);
    for (const session of this.#sessions.values()) {
      if (session.controller !== name || (isAvailable && session.incarnation === incarnation)) continue;
      if (session.isBusy) session.isOrphaned = true;
      else this.#end(session, undefined);
    }
  }

  #claim(session: Session, name: string): void {
    const controller = this.#controller(name);
    this.#controller(session.controller).sessions -= 1;
    controller.sessions += 1;
    session.controller = name;
    session.incarnation = controller.incarnation;
  }

  #forget(session: Session): void {
    if (this.#sessions.delete(session.sessionId)) this.#controller(session.controller).sessions -= 1;
  }

  #hasUnclaimed(name: string): boolean {
    const { incarnation } = this.#controller(name);
    return [...this.#sessions.values()].some(
      (session) => session.controller === name && session.incarnation !== incarnation,
    );
  }

  #controller(name: string): Controller {
    const known = this.#controllers.get(name) ?? { isAvailable: false, incarnation: 0, sessions: 0 };
    this.#controllers.set(name, known);
    return known;
  }

  /** Not while a transaction may still be undone: an undo puts a binding back as it was. */
  #retire(now: Instant): void {
    if (this.#transactions.size > 0) return;
    const { operations } = this.#table.handleTimeout(now);
    if (operations.length === 0) return;
    this.#outputs.push({ kind: 'effect', effect: { type: 'translate', id: ++this.#effects, operations } });
  }

  #report(event: AddressTranslatorEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}
