/**
 * The mobile node (TRIM fig. 3(b)): access monitor, SIP user agent, handover manager and address translator as one network function, and the
 * order of a handover (TRIM §3.3, §4.4):
 *
 *   access attached ─▶ routing, listener ─▶ REGISTER over it ─200─▶ move every session ─▶ old contact removed
 *     ─▶ first data over the new access ─▶ old access released
 *
 * Nothing is given up before its successor works, so a soft handover loses nothing; a hard one goes the same way as soon as there is an
 * access. A handover that fails leaves sessions where they were, as long as that access lives.
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import { earlierTimeout, type Timeout } from '../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../base/network.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import { BackToBackUserAgent } from '../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { CallEvent } from '../protocols/sip/back-to-back-user-agent/call-event.ts';
import { SipEndpoint } from '../protocols/sip/endpoint.ts';
import { type AccessInput, AccessMonitor } from './access-monitor/access-monitor.ts';
import { AccessSelection } from './access-selection/access-selection.ts';
import { LocalAddressTranslator } from './address-translator/local-address-translator.ts';
import { type AttachedAccess, networkAccessOf } from './attached-access.ts';
import { AccessReleases } from './handover-manager/access-releases.ts';
import { Handover } from './handover-manager/handover.ts';
import type { HandoverEvent } from './handover-manager/handover-event.ts';
import { HandoverManager } from './handover-manager/handover-manager.ts';
import type { NetworkAccess } from './handover-manager/network-access.ts';
import type { MobileNodeOptions } from './mobile-node-options.ts';
import type {
  MobileNodeEffect,
  MobileNodeEvent,
  MobileNodeInput,
  MobileNodeStatus,
} from './mobile-node-output.ts';
import { ImsUserAgent, type RegistrationEvent } from './sip-user-agent/ims-user-agent.ts';

/** Sessions that did not move are tried again so often, after 1, 2, 4 … seconds. */
const maximumAttempts = 4;

export class MobileNode
  implements NetworkFunction<AccessInput | MobileNodeInput, MobileNodeEvent, MobileNodeEffect>
{
  readonly #options: MobileNodeOptions;
  readonly #monitor: AccessMonitor;
  readonly #agent: BackToBackUserAgent;
  readonly #userAgent: ImsUserAgent;
  readonly #translator = new LocalAddressTranslator();
  readonly #manager: HandoverManager;
  readonly #attached = new Map<number, AttachedAccess>();
  readonly #outputs: (
    | NetworkOutput
    | { readonly kind: 'event'; readonly event: MobileNodeEvent }
    | { readonly kind: 'effect'; readonly effect: MobileNodeEffect }
  )[] = [];
  /** Effects whose completion is awaited, by id. */
  readonly #attaching = new Map<number, number>();
  readonly #selection: AccessSelection;
  readonly #releases = new AccessReleases();
  /** Contacts that go once nothing that left from them waits for an answer: the P-CSCF refuses what comes from no contact. */
  readonly #leaving = new Set<number>();
  #nextId = 1;
  #current: number | undefined;
  #handover: Handover | undefined;
  #isStopping = false;

  constructor(options: MobileNodeOptions) {
    const { internalAddress, applicationPort, random } = options;
    this.#options = options;
    this.#selection = new AccessSelection(options.selector);
    this.#monitor = new AccessMonitor(options.accesses);
    const listen = (['udp', 'tcp'] as const).map((transport) => ({
      transport,
      address: internalAddress,
      port: applicationPort,
    }));
    this.#agent = new BackToBackUserAgent({
      endpoint: new SipEndpoint({ listen, random, refuseMergedRequests: true }),
      random,
    });
    this.#userAgent = new ImsUserAgent({ identity: options.identity, agent: this.#agent, random });
    this.#manager = new HandoverManager({
      ...options,
      publicIdentity: options.identity.publicIdentity,
      agent: this.#agent,
      translator: this.#translator,
    });
  }

  start(now: Instant): void {
    this.#effect({ type: 'install-internal-address', address: this.#options.internalAddress });
    this.#agent.start(now);
    this.#drain(now);
  }

  /** Ends every session and registration; the host waits for `isStopped`, then takes the kernel state back. */
  stop(now: Instant): void {
    this.#isStopping = true;
    for (const { call } of this.#manager.sessions) this.#agent.endCall(call, now);
    for (const index of this.#userAgent.registeredAccesses) this.#deregister(index, now);
    this.#drain(now);
  }

  get isStopped(): boolean {
    return (
      this.#isStopping &&
      this.#userAgent.registeredAccesses.length === 0 &&
      this.#manager.sessions.length === 0
    );
  }

  /** A person's wish. The answer says what comes of it now; how it ends is told by events. */
  requestHandover(
    name: string,
    now: Instant,
  ): 'started' | 'queued' | 'already there' | 'not attached' | 'unknown access' {
    const access = this.#options.accesses.find((candidate) => candidate.name === name);
    if (access === undefined) return 'unknown access';
    if (!this.#isReady(access.index)) return 'not attached';
    this.#selection.pin(name);
    if (this.#handover === undefined && this.#current === access.index) return 'already there';
    const wasBusy = this.#handover !== undefined;
    this.#decide(now);
    this.#drain(now);
    return wasBusy ? 'queued' : 'started';
  }

  status(): MobileNodeStatus {
    const accesses = this.#options.accesses.map(({ index, name, interface: link }) => ({
      name,
      interface: link,
      address: this.#attached.get(index)?.address,
      isReady: this.#isReady(index),
      isRegistered: this.#userAgent.isRegistered(index),
      isCurrent: index === this.#current,
    }));
    const handover = this.#handover && { to: this.#nameOf(this.#handover.to), phase: this.#handover.phase };
    return { accesses, sessions: this.#manager.sessions.map((session) => session.summary()), handover };
  }

  handleInput(input: NetworkInput | AccessInput | MobileNodeInput, now: Instant): void {
    if (input.kind === 'link-changed' || input.kind === 'address-changed')
      this.#monitor.handleInput(input, now);
    else if (input.kind === 'effect-completed') this.#effectCompleted(input.id, input.error, now);
    else if (input.kind === 'flows-used') this.#releases.dataArrived(input.id, now);
    else this.#agent.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#agent.handleTimeout(now);
    this.#userAgent.handleTimeout(now);
    this.#manager.handleTimeout(now);
    const handover = this.#handover;
    if (handover?.deadline !== undefined && handover.deadline <= now) this.#tryAgain(handover, now);
    for (let due = this.#releases.takeDue(now); due !== undefined; due = this.#releases.takeDue(now))
      this.#released(due.access, due.reason);
    this.#drain(now);
  }

  pollOutput(): ReturnType<NetworkFunction<never, MobileNodeEvent, MobileNodeEffect>['pollOutput']> {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    const deadline = this.#handover?.deadline;
    return [
      this.#userAgent.pollTimeout(),
      this.#manager.pollTimeout(),
      this.#releases.pollTimeout(),
      deadline === undefined ? undefined : { at: deadline, reason: 'handover' },
    ].reduce(earlierTimeout, this.#agent.pollTimeout());
  }

  /**
   * Translator first: what it accepts must be in force before the address is told to anybody. Then the network's messages, and what the
   * boxes have to say of them, until nobody has anything left to say.
   */
  #drain(now: Instant): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (let next = this.#monitor.pollEvent(); next !== undefined; next = this.#monitor.pollEvent()) {
        isBusy = true;
        if (next.kind === 'access-attached')
          this.#attach(next.access.index, next.address, next.attachMs, now);
        else if (next.kind === 'access-lost') this.#lose(next.access.index, now);
      }
      for (
        let next = this.#translator.pollTransaction();
        next !== undefined;
        next = this.#translator.pollTransaction()
      )
        this.#effect({ type: 'translate', operations: next });
      for (let next = this.#manager.pollEvent(); next !== undefined; next = this.#manager.pollEvent()) {
        isBusy = true;
        this.#managerSaid(next, now);
      }
      for (let next = this.#userAgent.pollEvent(); next !== undefined; next = this.#userAgent.pollEvent()) {
        isBusy = true;
        this.#userAgentSaid(next, now);
      }
      const output = this.#agent.pollOutput();
      if (output?.kind === 'event') this.#agentSaid(output.event, now);
      else if (output !== undefined) this.#outputs.push(output);
      isBusy = output !== undefined || this.#removeContacts(now) || isBusy;
    }
  }

  #agentSaid(event: CallEvent, now: Instant): void {
    if (event.type === 'outside-response-arrived')
      this.#userAgent.handleResponse(event.transaction, event.response, now);
    else this.#manager.handleCallEvent(event, now);
  }

  #attach(index: number, address: string, attachMs: DurationMs, now: Instant): void {
    const options = this.#options.accesses.find((access) => access.index === index);
    if (options === undefined || this.#isStopping) return;
    this.#attached.set(index, {
      options,
      address,
      attachedAt: now,
      attachMs,
      signallingMs: undefined,
      serviceRoute: [],
    });
    const id = this.#nextId++;
    this.#attaching.set(id, index);
    this.#effect({
      type: 'attach-access',
      id,
      index,
      interface: options.interface,
      address,
      gateway: options.gateway,
    });
  }

  #effectCompleted(id: number, error: string | undefined, now: Instant): void {
    const index = this.#attaching.get(id);
    const state = index === undefined ? undefined : this.#attached.get(index);
    this.#attaching.delete(id);
    if (index === undefined || state === undefined) return;
    const { name } = state.options;
    if (error !== undefined) {
      this.#attached.delete(index);
      this.#tell({ type: 'access-failed', access: name, reason: error });
      return;
    }
    this.#setListening(state, true, now);
    state.signallingMs = now - state.attachedAt;
    this.#manager.setAccess(this.#networkAccess(state));
    const { address, attachMs, signallingMs } = state;
    this.#tell({ type: 'access-ready', access: name, address, attachMs, signallingMs });
    this.#decide(now);
  }

  #lose(index: number, now: Instant): void {
    const state = this.#attached.get(index);
    if (state === undefined) return;
    this.#attached.delete(index);
    if (state.signallingMs !== undefined) this.#setListening(state, false, now);
    this.#manager.removeAccess(index);
    this.#releases.cancel(index);
    this.#userAgent.accessLost(index);
    this.#effect({ type: 'detach-access', index });
    this.#tell({ type: 'access-lost', access: state.options.name });
    // Sessions that had moved there already go back with the next handover.
    if (this.#current === index) this.#current = undefined;
    if (this.#handover?.to === index) this.#failHandover(this.#handover, 'the access was lost', now);
    this.#decide(now);
  }

  #setListening({ address }: AttachedAccess, isListening: boolean, now: Instant): void {
    for (const transport of ['udp', 'tcp'] as const) {
      const listener = { transport, address, port: this.#options.signallingPort };
      if (isListening) this.#agent.addListener(listener, now);
      else this.#agent.removeListener(listener, now);
    }
  }

  #networkAccess(access: AttachedAccess): NetworkAccess {
    return networkAccessOf(access, this.#options.signallingPort);
  }

  /** Asks the policy; a handover on its way to another access is not interrupted unless its access is lost. */
  #decide(now: Instant): void {
    if (this.#isStopping || this.#handover !== undefined) return;
    const candidates = [...this.#attached.values()].filter(({ signallingMs }) => signallingMs !== undefined);
    const situation = {
      candidates: candidates.map(({ options }) => ({
        name: options.name,
        isBound: true,
        isAnswering: true,
      })),
      current: this.#optionalName(this.#current),
    };
    const { chosen } = this.#selection.decide(situation, now);
    const target = candidates.find(({ options }) => options.name === chosen)?.options.index;
    if (target !== undefined && target !== this.#current) this.#startHandover(target, now);
  }

  #startHandover(to: number, now: Instant): void {
    this.#releases.cancel(to);
    this.#leaving.delete(to);
    const isAlive = this.#current !== undefined && this.#attached.has(this.#current);
    const hasSessions = this.#manager.sessions.length > 0 || this.#current !== undefined;
    const kind = isAlive ? 'soft' : hasSessions ? 'hard' : 'first';
    const handover = new Handover(this.#current, to, kind, now);
    this.#handover = handover;
    this.#manager.setMoving(true);
    this.#tell({
      type: 'handover-started',
      from: this.#optionalName(handover.from),
      to: this.#nameOf(to),
      kind,
    });
    const state = this.#attached.get(to);
    if (state === undefined) return;
    if (this.#userAgent.isRegistered(to)) this.#transfer(handover, now);
    else this.#userAgent.register(this.#networkAccess(state), now);
  }

  #userAgentSaid(event: RegistrationEvent, now: Instant): void {
    const access = this.#nameOf(event.access);
    if (event.type === 'deregistered') {
      this.#tell({ type: 'deregistered', access });
      return;
    }
    const handover = this.#handover?.to === event.access ? this.#handover : undefined;
    if (event.type === 'registration-failed') {
      this.#tell({ type: 'registration-failed', access, statusCode: event.statusCode });
      if (handover?.phase === 'registering')
        this.#failHandover(handover, `REGISTER: ${event.statusCode}`, now);
      return;
    }
    const state = this.#attached.get(event.access);
    if (state === undefined) return;
    state.serviceRoute = event.serviceRoute;
    this.#manager.setAccess(this.#networkAccess(state));
    this.#tell({ type: 'registered', access, registerMs: event.registerMs });
    if (handover?.phase !== 'registering') {
      // A registration that had failed before makes its access a candidate again.
      this.#decide(now);
      return;
    }
    handover.registerMs = event.registerMs;
    this.#transfer(handover, now);
  }

  #transfer(handover: Handover, now: Instant): void {
    handover.phase = 'transferring';
    this.#current = handover.to;
    this.#manager.useForNewSessions(handover.to);
    this.#manager.moveSessions(handover.to, now);
    this.#checkTransfer(handover, now);
  }

  #managerSaid(event: HandoverEvent, now: Instant): void {
    this.#tell(event);
    const handover = this.#handover;
    if (handover?.phase !== 'transferring') return;
    if (event.type === 'session-moved') {
      handover.failed.delete(event.session);
      handover.moved.push({ session: event.session, sipMs: event.sipMs, method: event.method });
    } else if (event.type === 'session-move-failed') {
      handover.failed.set(event.session, { statusCode: event.statusCode, reason: event.reason });
    } else if (event.type === 'session-ended') handover.failed.delete(event.session);
    this.#checkTransfer(handover, now);
  }

  #checkTransfer(handover: Handover, now: Instant): void {
    if (this.#manager.sessions.some(({ move }) => move !== undefined)) return;
    if (handover.failed.size > 0 && handover.attempts < maximumAttempts) {
      handover.deadline = now + 1000 * 2 ** (handover.attempts - 1);
      return;
    }
    this.#completeHandover(handover, now);
  }

  #tryAgain(handover: Handover, now: Instant): void {
    handover.deadline = undefined;
    handover.attempts++;
    this.#manager.moveSessions(handover.to, now);
    this.#checkTransfer(handover, now);
  }

  #completeHandover(handover: Handover, now: Instant): void {
    const to = this.#attached.get(handover.to);
    if (to === undefined) return;
    this.#manager.setMoving(false);
    this.#tell({
      type: 'handover-completed',
      from: this.#optionalName(handover.from),
      to: to.options.name,
      kind: handover.kind,
      attachMs: to.attachMs,
      signallingMs: to.signallingMs ?? 0,
      registerMs: handover.registerMs,
      sipMs: handover.sipMs,
      totalMs: now - handover.startedAt,
      sessions: handover.moved,
      failed: [...handover.failed.keys()],
    });
    this.#release(handover, now);
  }

  /** The old contact goes when nothing needs it, the old access later (access-releases.ts). */
  #release({ from, to, moved }: Handover, now: Instant): void {
    this.#handover = undefined;
    const stillCarrying = new Set(this.#manager.sessions.map(({ access }) => access.index));
    for (const index of this.#userAgent.registeredAccesses) {
      const isLeft = index !== to && !stillCarrying.has(index);
      if (isLeft && this.#userAgent.isRegistered(index)) this.#leaving.add(index);
    }
    const access = this.#attached.get(to);
    const flows = access === undefined ? [] : this.#manager.downlinkFlows(this.#networkAccess(access));
    if (from !== undefined && !stillCarrying.has(from)) {
      const watch = this.#nextId++;
      if (moved.length === 0 || flows.length === 0) this.#released(from, 'no sessions');
      else {
        this.#releases.begin(from, watch, now + this.#options.releaseAfterMs);
        this.#effect({ type: 'watch-flows', id: watch, flows });
      }
    }
    this.#decide(now);
  }

  #released(index: number, reason: 'data arrived' | 'no data' | 'no sessions'): void {
    const state = this.#attached.get(index);
    if (state !== undefined) this.#manager.dismissAccess(this.#networkAccess(state));
    this.#tell({ type: 'access-released', access: this.#nameOf(index), reason });
  }

  #removeContacts(now: Instant): boolean {
    const idle = [...this.#leaving].filter((index) => {
      const address = this.#attached.get(index)?.address;
      return address === undefined || !this.#agent.hasUnanswered(address);
    });
    for (const index of idle) {
      this.#leaving.delete(index);
      this.#deregister(index, now);
    }
    return idle.length > 0;
  }

  /** Over the old access while it lives, else over whichever carries the sessions now. */
  #deregister(index: number, now: Instant): void {
    const over =
      this.#attached.get(index) ??
      (this.#current === undefined ? undefined : this.#attached.get(this.#current));
    if (over === undefined) this.#userAgent.forget(index);
    else this.#userAgent.deregister(index, this.#networkAccess(over), now);
  }

  #failHandover(handover: Handover, reason: string, now: Instant): void {
    this.#handover = undefined;
    this.#manager.setMoving(false);
    this.#manager.abandonMoves(handover.to, now);
    this.#selection.pin(undefined);
    this.#tell({ type: 'handover-failed', to: this.#nameOf(handover.to), reason });
  }

  #isReady(index: number): boolean {
    return this.#attached.get(index)?.signallingMs !== undefined;
  }

  #nameOf(index: number): string {
    return this.#options.accesses.find((access) => access.index === index)?.name ?? String(index);
  }

  #optionalName(index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.#nameOf(index);
  }

  #tell(event: MobileNodeEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }

  #effect(effect: MobileNodeEffect): void {
    this.#outputs.push({ kind: 'effect', effect });
  }
}
