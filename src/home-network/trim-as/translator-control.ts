/**
 * The TRIM AS's hold on its address translators (TRIM fig. 2, footnote 4): Diameter NAT control (RFC 6736) towards those in the configuration.
 * It chooses one for a new session, tries the next when that is full or dead, and makes changes of a session's bindings true.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { SharedTexts } from '../../base/shared-texts.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { resultAvps } from '../../protocols/diameter/capabilities.ts';
import type { DiameterEvent } from '../../protocols/diameter/diameter-event.ts';
import { natControlApplication } from '../../protocols/diameter/dictionary/nat-control.ts';
import { DiameterEndpoint, type DiameterEndpointOptions } from '../../protocols/diameter/endpoint.ts';
import type { NatComponent, NatEnd } from '../../protocols/diameter/nat-control.ts';
import {
  NatControlClient,
  type NatControlEvent,
  type NatRequestId,
  type NatSession,
} from '../../protocols/diameter/nat-control-client.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import type { CallHandle } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { AnchoredSession } from './anchored-session.ts';
import { type BindingChange, type Components, componentAt } from './session-bindings.ts';
import { type TranslatorOptions, TranslatorSelection } from './translator-selection.ts';
import type { TrimEvent } from './trim-event.ts';

/** More than the translators of one AS have between them; each is kept once. */
const maximumSharedAddresses = 1024;

/** A tenth of the requests that may be outstanding (diameter/limits.ts); with 1 ms for each, 100,000 sessions are told within a minute. */
const maximumSessionsToldAtOnce = 400;

/** Why a change is not in force; `isImpossible`: the translator has no address of that version of IP, or cannot translate from one to the other. */
export interface Failure {
  readonly reason: string;
  readonly isImpossible?: boolean;
}

/** `failure` is undefined when the change is in force. */
export type Done = (failure: Failure | undefined, now: Instant) => void;

export interface TranslatorControlOptions {
  readonly diameter: Omit<DiameterEndpointOptions, 'applications' | 'random'>;
  readonly translators: readonly TranslatorOptions[];
  readonly random: RandomSource;
}

export class TranslatorControl {
  readonly #endpoint: DiameterEndpoint;
  readonly #client: NatControlClient;
  readonly #selection: TranslatorSelection;
  readonly #awaited = new TurnoverMap<NatRequestId, (outcome: NatControlEvent, now: Instant) => void>();
  /** Of the translators. */
  readonly #addresses = new SharedTexts(maximumSharedAddresses);
  readonly #sessions: Pick<ReadonlyMap<CallHandle, AnchoredSession>, 'values'>;
  /** Sessions of which a translator that is back has still to be told. */
  readonly #untold = new Fifo<AnchoredSession>();
  #beingTold = 0;
  readonly #events = new Fifo<TrimEvent>();

  /** `sessions` are all there are, at any moment. */
  constructor(
    { diameter, translators, random }: TranslatorControlOptions,
    sessions: Pick<ReadonlyMap<CallHandle, AnchoredSession>, 'values'>,
  ) {
    this.#sessions = sessions;
    this.#endpoint = new DiameterEndpoint({ ...diameter, applications: [natControlApplication], random });
    this.#client = new NatControlClient(this.#endpoint);
    this.#selection = new TranslatorSelection(translators);
  }

  get translators(): TranslatorSelection['states'] {
    return this.#selection.states;
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  stop(now: Instant): void {
    this.#endpoint.stop(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
    this.#settle(now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    this.#settle(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  pollOutput(
    now: Instant,
  ): NetworkOutput | { readonly kind: 'event'; readonly event: TrimEvent } | undefined {
    this.#settle(now);
    const event = this.#events.shift();
    return event === undefined ? this.#endpoint.pollOutput() : { kind: 'event', event };
  }

  /** Makes the change true; then, or when that is impossible, calls `done`. The session's components change only with success. */
  bind(session: AnchoredSession, change: BindingChange, now: Instant, done: Done): void {
    if (change.install.length === 0) {
      session.components = change.next;
      this.#removeUnused(session, change, now);
      done(undefined, now);
    } else if (session.nat === undefined) this.#open(session, change, [], now, done);
    else this.#update(session, change, now, done);
  }

  /** Asks for addresses without putting them to use; the session's components stay as they are, and `done` gets those with the addresses. */
  reserve(
    session: AnchoredSession,
    change: BindingChange,
    now: Instant,
    done: (reserved: Components | Failure, now: Instant) => void,
  ): void {
    const { nat } = session;
    if (nat === undefined || change.install.length === 0) {
      done(session.components, now);
      return;
    }
    const asked = inOrderOfAnswer(change.install);
    this.#awaited.set(this.#client.update(nat, asked, now), (outcome, at) => {
      if (outcome.kind === 'request-completed')
        done(this.#withAddresses(change.next, asked, outcome.components), at);
      else done(this.#failureOf(session, outcome, at), at);
    });
  }

  /** All bindings of the session go. */
  release(session: AnchoredSession, now: Instant): void {
    const { nat } = session;
    if (nat === undefined) return;
    session.nat = undefined;
    this.#selection.count(nat.translator, -1);
    this.#client.close(nat, now);
  }

  /** At a translator that has not refused the session yet. */
  #open(
    session: AnchoredSession,
    change: BindingChange,
    refused: readonly string[],
    now: Instant,
    done: Done,
  ): void {
    const host = this.#selection.select(refused, now);
    if (host === undefined) {
      done({ reason: 'no address translator is available' }, now);
      return;
    }
    const nat = this.#client.createSession(host);
    const asked = inOrderOfAnswer(change.install);
    const request = this.#client.open(nat, asked, now);
    this.#awaited.set(request, (outcome, at) => {
      if (outcome.kind === 'request-completed') {
        session.nat = nat;
        this.#selection.count(host, 1);
        session.components = this.#withAddresses(change.next, asked, outcome.components);
        done(undefined, at);
        return;
      }
      // A translator that was asked and did not answer may have carried it out all the same.
      const wasAsked = outcome.kind === 'request-lost' && outcome.reason !== 'too-many-outstanding';
      if (wasAsked) this.#client.close(nat, at);
      if (outcome.kind === 'request-refused' && outcome.resultCode === resultCode.resourceFailure)
        this.#selection.rest(host, at);
      this.#open(session, change, [...refused, host], at, done);
    });
  }

  #update(session: AnchoredSession, change: BindingChange, now: Instant, done: Done): void {
    const { nat } = session;
    if (nat === undefined) return;
    const asked = inOrderOfAnswer(change.install);
    const request = this.#client.update(nat, asked, now);
    this.#awaited.set(request, (outcome, at) => {
      if (outcome.kind === 'request-completed') {
        session.components = this.#withAddresses(change.next, asked, outcome.components);
        this.#removeUnused(session, change, at);
        done(undefined, at);
        return;
      }
      done(this.#failureOf(session, outcome, at), at);
    });
  }

  #failureOf(
    session: AnchoredSession,
    outcome: Exclude<NatControlEvent, { readonly kind: 'request-completed' }>,
    now: Instant,
  ): Failure {
    const isLost = outcome.kind === 'request-lost';
    if (isLost || outcome.resultCode === resultCode.unknownSessionId) this.#reassert(session, now);
    if (isLost) return { reason: outcome.reason };
    const isImpossible = outcome.resultCode === resultCode.bindingFailure;
    return { reason: `translator answered ${outcome.resultCode}`, isImpossible };
  }

  /** Takes a change that is in force back, because whom it was made for has gone. `before` are the components that it replaced. */
  undo(session: AnchoredSession, before: Components, change: BindingChange, now: Instant): void {
    session.components = session.components.map((component) => {
      const { index, part } = component;
      const isChanged = componentAt(change.install, index, part) !== undefined;
      return (isChanged ? componentAt(before, index, part) : undefined) ?? component;
    });
    this.#reassert(session, now);
  }

  /**
   * Tells the translator what the session has: after a request of which nobody knows whether it was carried out, and whenever the
   * translator has been away. One that has restarted knows nothing of the session and gets it anew, with the same x:a and y:b.
   */
  #reassert(session: AnchoredSession, now: Instant, whenTold?: (now: Instant) => void): void {
    const { nat } = session;
    if (nat === undefined || session.components.length === 0) return;
    this.#awaited.set(this.#client.update(nat, session.components, now), (outcome, at) => {
      const isForgotten =
        outcome.kind === 'request-refused' && outcome.resultCode === resultCode.unknownSessionId;
      if (isForgotten && session.nat === nat) this.#reopen(session, nat, at, whenTold);
      else whenTold?.(at);
    });
  }

  #reopen(session: AnchoredSession, nat: NatSession, now: Instant, whenTold?: (now: Instant) => void): void {
    const request = this.#client.open(nat, session.components, now);
    this.#awaited.set(request, (outcome, at) => {
      if (outcome.kind === 'request-refused' && session.nat === nat) {
        const reason = `translator answered ${outcome.resultCode}`;
        this.#events.push({ type: 'bindings-lost', session: session.call, reason });
      }
      whenTold?.(at);
    });
  }

  /** Of so many sessions at a time that calls being set up meanwhile find room among the requests that are outstanding. */
  #tellAgain(now: Instant): void {
    while (this.#beingTold < maximumSessionsToldAtOnce) {
      const session = this.#untold.shift();
      if (session === undefined) return;
      const { nat, components } = session;
      // A translator that has gone again hears of them when it is back.
      if (nat === undefined || components.length === 0 || !this.#endpoint.isAvailable(nat.translator))
        continue;
      this.#beingTold += 1;
      this.#reassert(session, now, (at) => {
        this.#beingTold -= 1;
        this.#tellAgain(at);
      });
    }
  }

  /** The answer names the components of the request, one by one, with the translator's addresses. */
  #withAddresses(next: Components, asked: Components, bound: readonly NatComponent[]): Components {
    return next.map((component) => {
      const answered = bound[asked.indexOf(component)] ?? component;
      if (answered === component) return component;
      const { towardsCorrespondent, towardsMobileNode } = answered;
      if (towardsCorrespondent === undefined || towardsMobileNode === undefined) return component;
      const [x, y] = [this.#shared(towardsCorrespondent), this.#shared(towardsMobileNode)];
      return component.with({ towardsCorrespondent: x, towardsMobileNode: y });
    });
  }

  #shared(end: NatEnd): NatEnd {
    return { ...end, address: this.#addresses.share(end.address) };
  }

  #removeUnused({ nat }: AnchoredSession, { remove }: BindingChange, now: Instant): void {
    if (nat !== undefined && remove.length > 0) this.#client.remove(nat, remove, now);
  }

  #settle(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      this.#notePeer(event, now);
      if (!this.#client.handleEvent(event, now) && event.kind === 'request-received')
        this.#endpoint.answer(event.request, resultAvps(resultCode.commandUnsupported));
    }
    for (let outcome = this.#client.pollEvent(); outcome !== undefined; outcome = this.#client.pollEvent()) {
      const whenDone = this.#awaited.get(outcome.request);
      this.#awaited.delete(outcome.request);
      whenDone?.(outcome, now);
    }
  }

  #notePeer(event: DiameterEvent, now: Instant): void {
    if (event.kind !== 'peer-available' && event.kind !== 'peer-unavailable') return;
    const isUp = event.kind === 'peer-available';
    this.#selection.setUp(event.peer, isUp);
    this.#events.push(
      isUp
        ? { type: 'translator-available', translator: event.peer }
        : { type: 'translator-lost', translator: event.peer, reason: event.reason },
    );
    if (!isUp) return;
    for (const session of this.#sessions.values())
      if (session.nat?.translator === event.peer) this.#untold.push(session);
    this.#tellAgain(now);
  }
}

/** The translator answers components that have its addresses already first, then the new ones. */
function inOrderOfAnswer(components: Components): Components {
  const bound = components.filter(({ isBound }) => isBound);
  const hasBoth = bound.length > 0 && bound.length < components.length;
  return hasBoth ? [...bound, ...components.filter(({ isBound }) => !isBound)] : components;
}
