/**
 * The mobile node (TRIM fig. 3(b); MIP–SIP §3) as one network function: access monitor, access selection, Mobile IP client, SIP user agent,
 * handover manager and address translator. Here they are joined: what one says is handed to those whom it concerns.
 *
 *   links, addresses ─▶ access monitor ──────▶ ready, lost ──┐
 *   echoes, registrations ─▶ Mobile IP client ─▶ round trips ┴▶ access selection ─▶ handover procedure ─┬▶ Mobile IP client
 *                                   └── care-of address changed ─────────────────────────▲              └▶ SIP user agent, handover manager
 *
 * Every access that is ready is bound with the home agent at once and stays so. The order of a handover is handover-procedure.ts's.
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import { earlierTimeout, type Timeout } from '../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../base/network-function.ts';
import type { BackToBackUserAgent } from '../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { CallEvent } from '../protocols/sip/back-to-back-user-agent/call-event.ts';
import { createResponse } from '../protocols/sip/message/create-response.ts';
import { type AccessInput, AccessMonitor } from './access-monitor/access-monitor.ts';
import { UnansweredProbes } from './access-monitor/unanswered-probes.ts';
import { AccessSelection, type DecisionHistory } from './access-selection/access-selection.ts';
import type { AccessSituation, ClassDecision } from './access-selection/access-selector.ts';
import { LocalAddressTranslator } from './address-translator/local-address-translator.ts';
import type { AttachedAccess } from './attached-access.ts';
import { AttachedAccesses } from './attached-accesses.ts';
import { HandoverManager } from './handover-manager/handover-manager.ts';
import { HandoverProcedure } from './handover-procedure.ts';
import { defaultMissedProbes, mobileIpPort } from './mobile-ip-client/limits.ts';
import type {
  MobileIpClientEvent,
  RouteOptimisationEvent,
} from './mobile-ip-client/mobile-ip-client-options.ts';
import { RouteOptimisingClient } from './mobile-ip-client/route-optimising-client.ts';
import type { MobileNodeOptions } from './mobile-node-options.ts';
import type {
  MobileNodeEffect,
  MobileNodeEvent,
  MobileNodeInput,
  MobileNodeStatus,
} from './mobile-node-output.ts';
import { anonymous, isNotification, newAgent } from './node-agent.ts';
import { type DiscoveredProxy, ProxyDiscovery } from './proxy-discovery.ts';
import { ImsUserAgent } from './sip-user-agent/ims-user-agent.ts';

export class MobileNode
  implements NetworkFunction<AccessInput | MobileNodeInput, MobileNodeEvent, MobileNodeEffect>
{
  readonly #options: MobileNodeOptions;
  readonly #accesses: AttachedAccesses;
  readonly #discovery: ProxyDiscovery;
  readonly #monitor: AccessMonitor;
  readonly #probes: UnansweredProbes;
  readonly #selection: AccessSelection;
  readonly #agent: BackToBackUserAgent;
  readonly #userAgent: ImsUserAgent | undefined;
  readonly #translator = new LocalAddressTranslator();
  readonly #manager: HandoverManager;
  readonly #mobileIp: RouteOptimisingClient | undefined;
  readonly #procedure: HandoverProcedure;
  readonly #outputs: (NetworkOutput | EventOutput<MobileNodeEvent> | EffectOutput<MobileNodeEffect>)[] = [];
  /** Effects whose completion is awaited, by id. */
  readonly #attaching = new Map<number, number>();
  #nextId = 1;
  /** When the policy wants to be asked again. */
  #reviewAt: Instant | undefined;
  /** Classes of flows as last told to the Mobile IP client. */
  #saidClasses = '[]';
  #isListeningAtHome = false;
  #isMobileIpStopped = false;
  #isStopping = false;

  constructor(options: MobileNodeOptions) {
    const { identity, random, registration = 'mobile-node', mobileIp } = options;
    this.#options = options;
    this.#accesses = new AttachedAccesses({ ...options, homeAddress: mobileIp?.homeAddress });
    this.#discovery = new ProxyDiscovery(random, options.tls !== undefined);
    this.#monitor = new AccessMonitor(options.accesses);
    this.#probes = new UnansweredProbes(mobileIp?.missedProbes ?? defaultMissedProbes);
    this.#selection = new AccessSelection(options.selector);
    const agent = newAgent(options);
    this.#agent = agent;
    if (identity !== undefined && 'instance' in identity && registration === 'mobile-node')
      this.#userAgent = new ImsUserAgent({ identity, agent, random });
    this.#manager = new HandoverManager({
      ...options,
      publicIdentity: identity?.publicIdentity ?? anonymous,
      ...(mobileIp && registration === 'home-agent' && { homeProxy: mobileIp.homeAgent.address }),
      agent,
      translator: this.#translator,
    });
    if (mobileIp !== undefined)
      this.#mobileIp = new RouteOptimisingClient({ ...mobileIp, accesses: options.accesses, random });
    this.#procedure = this.#newProcedure();
  }

  start(now: Instant): void {
    this.#effect({ type: 'install-internal-address', address: this.#options.internalAddress });
    this.#agent.start(now);
    this.#drain(now);
  }

  /** Ends every session, registration and binding; the host waits for `isStopped`, then takes the kernel state back. */
  stop(now: Instant): void {
    this.#isStopping = true;
    for (const { call } of this.#manager.sessions) this.#agent.endCall(call, now);
    for (const index of this.#userAgent?.registeredAccesses ?? []) this.#procedure.deregister(index, now);
    this.#drain(now);
  }

  get isStopped(): boolean {
    return this.#isStopping && this.#isSipOver && (this.#mobileIp === undefined || this.#isMobileIpStopped);
  }

  get #isSipOver(): boolean {
    return !this.#userAgent?.registeredAccesses.length && this.#manager.sessions.length === 0;
  }

  /** What SIP still has to say through the tunnel goes ahead. */
  #stopMobileIp(now: Instant): boolean {
    const { mobileIp } = this.#options;
    if (!this.#isStopping || this.#isMobileIpStopped || mobileIp === undefined) return false;
    const isUsed = !this.#isSipOver || this.#agent.hasUnanswered(mobileIp.homeAddress);
    if (this.#isListeningAtHome && isUsed) return false;
    this.#isMobileIpStopped = true;
    this.#mobileIp?.stop(now);
    return true;
  }

  /** A person's wish. The answer says what comes of it now; how it ends is told by events. */
  requestHandover(
    name: string,
    now: Instant,
  ): 'started' | 'queued' | 'already there' | 'not attached' | 'unknown access' {
    const index = this.#accesses.optionsOf(name)?.index;
    if (index === undefined) return 'unknown access';
    if (!this.#accesses.isReady(index)) return 'not attached';
    this.#selection.pin(name);
    const wasBusy = this.#procedure.underWay !== undefined;
    if (!wasBusy && this.#procedure.current === index) return 'already there';
    this.#decide(now);
    this.#drain(now);
    return wasBusy ? 'queued' : 'started';
  }

  /** The last decisions of the policy, with every number in them (`trimaran why`). */
  get decisions(): DecisionHistory {
    return this.#selection.decisions;
  }

  status(): MobileNodeStatus {
    const { underWay, current } = this.#procedure;
    const accesses = this.#accesses.configured.map(({ index, name, interface: link }) => ({
      name,
      interface: link,
      address: this.#accesses.get(index)?.address,
      isReady: this.#accesses.isReady(index),
      isRegistered: this.#userAgent?.isRegistered(this.#accesses.sipIndexOf(index)) ?? false,
      isCurrent: index === current,
      ...(this.#mobileIp && {
        isBound: this.#mobileIp.isBound(name),
        isAnswering: this.#probes.isAnswering(name),
      }),
    }));
    const handover = underWay && { to: this.#accesses.nameOf(underWay.to), phase: underWay.phase };
    const correspondents = this.#mobileIp?.correspondents ?? [];
    return {
      accesses,
      ...(correspondents.length > 0 && { correspondents }),
      sessions: this.#manager.sessions.map((session) => session.summary()),
      handover,
    };
  }

  handleInput(input: NetworkInput | AccessInput | MobileNodeInput, now: Instant): void {
    if (input.kind === 'link-changed' || input.kind === 'address-changed')
      this.#monitor.handleInput(input, now);
    else if (input.kind === 'effect-completed') this.#effectCompleted(input.id, input.error, now);
    else if (input.kind === 'flows-used') this.#procedure.dataArrived(input.id, now);
    else if (input.kind === 'flows-complete') this.#procedure.order.downlinkComplete();
    else if (input.kind === 'flow-came') this.#procedure.order.flowCame(input.flow, now);
    else if (input.kind === 'resolved') this.#discovery.handleInput(input, now);
    else if (this.#isForMobileIp(input)) this.#mobileIp?.handleInput(input, now);
    else this.#agent.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#discovery.handleTimeout(now);
    this.#agent.handleTimeout(now);
    this.#userAgent?.handleTimeout(now);
    this.#manager.handleTimeout(now);
    this.#mobileIp?.handleTimeout(now);
    this.#procedure.handleTimeout(now);
    if (this.#reviewAt !== undefined && this.#reviewAt <= now) this.#decide(now);
    this.#drain(now);
  }

  pollOutput(): ReturnType<NetworkFunction<never, MobileNodeEvent, MobileNodeEffect>['pollOutput']> {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    const reviewAt = this.#reviewAt;
    return [
      this.#discovery.pollTimeout(),
      this.#userAgent?.pollTimeout(),
      this.#manager.pollTimeout(),
      this.#mobileIp?.pollTimeout(),
      this.#procedure.pollTimeout(),
      reviewAt === undefined ? undefined : { at: reviewAt, reason: 'access selection' },
    ].reduce(earlierTimeout, this.#agent.pollTimeout());
  }

  /**
   * What the boxes have to say of each other comes first, until they are silent: so a binding update leaves ahead of the re-INVITEs that
   * it brings about (MIP–SIP fig. 2). Then the translator: what it accepts must be in force before the address is told to anybody. Then SIP.
   */
  #drain(now: Instant): void {
    for (let isBusy = true; isBusy; ) {
      isBusy =
        this.#drainMonitor(now) ||
        this.#drainDiscovery(now) ||
        this.#drainMobileIp(now) ||
        this.#drainManager(now) ||
        this.#drainUserAgent(now);
      if (isBusy) continue;
      let operations = this.#translator.pollTransaction();
      for (; operations !== undefined; operations = this.#translator.pollTransaction())
        this.#effect({ type: 'translate', operations });
      const output = this.#agent.pollOutput();
      if (output?.kind === 'event') this.#agentSaid(output.event, now);
      else if (output !== undefined) this.#outputs.push(output);
      isBusy = output !== undefined || this.#procedure.removeContacts(now) || this.#stopMobileIp(now);
    }
  }

  #drainMonitor(now: Instant): boolean {
    const event = this.#monitor.pollEvent();
    if (event?.kind === 'access-attached')
      this.#attach(event.access.index, event.address, event.attachMs, now);
    else if (event?.kind === 'access-lost') this.#lose(event.access.index, now);
    return event !== undefined;
  }

  #drainDiscovery(now: Instant): boolean {
    const [output, found] = [this.#discovery.pollOutput(), this.#discovery.pollFound()];
    if (output !== undefined) this.#outputs.push(output);
    if (found !== undefined) this.#proxySought(found, now);
    return output !== undefined || found !== undefined;
  }

  #drainMobileIp(now: Instant): boolean {
    const output = this.#mobileIp?.pollOutput();
    if (output?.kind === 'event') this.#mobileIpSaid(output.event, now);
    else if (output !== undefined) this.#outputs.push(output);
    return output !== undefined;
  }

  #drainManager(now: Instant): boolean {
    const event = this.#manager.pollEvent();
    if (event !== undefined) this.#procedure.managerSaid(event, now);
    return event !== undefined;
  }

  #drainUserAgent(now: Instant): boolean {
    const event = this.#userAgent?.pollEvent();
    if (event !== undefined) this.#procedure.userAgentSaid(event, now);
    return event !== undefined;
  }

  #agentSaid(event: CallEvent, now: Instant): void {
    if (event.type === 'outside-response-arrived') {
      if (!this.#manager.handleOutsideResponse(event, now))
        this.#userAgent?.handleResponse(event.transaction, event.response, now);
    } else if (event.type === 'kept-flow-failed') this.#userAgent?.handleFlowFailure(event.flow, now);
    else if (event.type === 'stray-request-refused') this.#tell(event);
    else if (event.type === 'flow-answered') this.#procedure.order.answered(event.check);
    else if (event.type === 'request-arrived' && isNotification(event.request)) {
      const ofCall = this.#manager.handleNotification(event.request, now);
      const statusCode = ofCall ?? this.#userAgent?.handleNotification(event.request, now) ?? 481;
      this.#agent.respond(event.transaction, createResponse(event.request, statusCode), now);
    } else this.#manager.handleCallEvent(event, now);
  }

  #mobileIpSaid(event: MobileIpClientEvent | RouteOptimisationEvent, now: Instant): void {
    if (event.type === 'round-trip-measured') {
      const { access, sentAt, rttMs } = event;
      this.#selection.selector.measured?.({ kind: 'answered', access, sentAt, rttMs }, now);
      this.#probes.answered(access, sentAt);
    } else if (event.type === 'round-trip-lost') {
      const { access, sentAt, timeoutMs: waitedMs } = event;
      this.#selection.selector.measured?.({ kind: 'unanswered', access, sentAt, waitedMs }, now);
      this.#probes.unanswered(access, sentAt);
    } else {
      this.#tell(event);
      if (event.type === 'binding-refused')
        this.#procedure.bindingFailed(event.access, `home agent: ${event.code} ${event.reason}`.trim(), now);
      else if (event.type === 'home-agent-unreachable')
        this.#procedure.bindingFailed(event.access, 'the home agent does not answer', now);
      else if (event.type === 'binding-accepted') this.#learnReach(event.access, event.isBehindNat, now);
      else if (event.type === 'care-of-address-changed') this.#followCareOfAddress(now);
    }
    this.#tellSilence(now);
    this.#procedure.checkBinding(now);
    this.#decide(now);
  }

  #learnReach(name: string, isBehindNat: boolean, now: Instant): void {
    const index = this.#accesses.optionsOf(name)?.index;
    const state = index === undefined ? undefined : this.#accesses.get(index);
    if (index === undefined || state === undefined || state.isBehindNat === isBehindNat) return;
    state.isBehindNat = isBehindNat;
    if (isBehindNat) {
      this.#listenAtHome(now);
      this.#manager.removeAccess(index, now);
      this.#userAgent?.accessLost(index, now);
    }
    const forSip = this.#accesses.forSip(index);
    if (forSip !== undefined && !state.isForsaken) this.#manager.setAccess(forSip);
    this.#procedure.reachLearned(index, now);
  }

  /** Cross-layer signalling (MIP–SIP §3): when Mobile IP has gone to another access by itself, as its binding was lost, SIP follows. */
  #followCareOfAddress(now: Instant): void {
    const name = this.#mobileIp?.forwardingAccess;
    const index = name === undefined ? undefined : this.#accesses.optionsOf(name)?.index;
    const { current, underWay } = this.#procedure;
    if (this.#isStopping || underWay !== undefined || current === undefined) return;
    if (index !== undefined && index !== current) this.#procedure.start(index, now);
  }

  #tellSilence(now: Instant): void {
    for (let event = this.#probes.pollEvent(); event !== undefined; event = this.#probes.pollEvent()) {
      const { access, isAnswering } = event;
      this.#tell({ type: isAnswering ? 'access-answering' : 'access-silent', access });
      const index = this.#accesses.optionsOf(access)?.index;
      if (index === undefined) continue;
      if (isAnswering) this.#procedure.accessAnswering(index);
      else this.#procedure.accessSilent(index, now);
      this.#decide(now);
      this.#procedure.gatherSessions(now);
    }
  }

  #attach(index: number, address: string, attachMs: DurationMs, now: Instant): void {
    const options = this.#accesses.configured.find((access) => access.index === index);
    if (options === undefined || this.#isStopping) return;
    this.#accesses.attach(options, address, attachMs, now);
    const id = this.#nextId++;
    this.#attaching.set(id, index);
    const { interface: link, gateway } = options;
    this.#effect({ type: 'attach-access', id, index, interface: link, address, gateway });
  }

  #effectCompleted(id: number, error: string | undefined, now: Instant): void {
    const index = this.#attaching.get(id);
    const state = index === undefined ? undefined : this.#accesses.get(index);
    this.#attaching.delete(id);
    if (index === undefined || state === undefined) return;
    const { name, proxyCscf } = state.options;
    if (error !== undefined) {
      this.#accesses.detach(index);
      this.#tell({ type: 'access-failed', access: name, reason: error });
    } else if (proxyCscf !== undefined && 'kind' in proxyCscf)
      this.#discovery.begin(index, proxyCscf, state.address, now);
    else this.#becomeReady(state, now);
  }

  /** Mobile IP does without. */
  #proxySought({ index, proxies: [first, ...others] }: DiscoveredProxy, now: Instant): void {
    const state = this.#accesses.get(index);
    if (state === undefined || this.#accesses.isReady(index)) return;
    if (first !== undefined) this.#accesses.setProxies(index, [first, ...others]);
    const { name } = state.options;
    if (this.#accesses.proxyOf(state.options) !== undefined || this.#mobileIp !== undefined)
      this.#becomeReady(state, now);
    else this.#tell({ type: 'access-failed', access: name, reason: 'the DNS does not know its P-CSCF' });
  }

  #becomeReady(state: AttachedAccess, now: Instant): void {
    const { index, name } = state.options;
    this.#setListening(state, true, now);
    state.signallingMs = now - state.attachedAt;
    const forSip = this.#accesses.forSip(index);
    if (forSip !== undefined) this.#manager.setAccess(forSip);
    const { address, attachMs, signallingMs } = state;
    this.#tell({ type: 'access-ready', access: name, address, attachMs, signallingMs });
    this.#mobileIp?.attach(name, address, now);
    this.#decide(now);
  }

  #lose(index: number, now: Instant): void {
    const state = this.#accesses.get(index);
    if (state === undefined) return;
    const { name } = state.options;
    this.#accesses.detach(index);
    this.#discovery.abandon(index);
    if (state.signallingMs !== undefined) this.#setListening(state, false, now);
    this.#manager.removeAccess(index, now);
    this.#userAgent?.accessLost(index, now);
    this.#mobileIp?.detach(name, now);
    this.#probes.forget(name);
    this.#selection.selector.accessLost?.(name);
    this.#effect({ type: 'detach-access', index });
    this.#tell({ type: 'access-lost', access: name });
    this.#procedure.accessLost(index, now);
    this.#decide(now);
    this.#procedure.gatherSessions(now);
  }

  #setListening({ address, options }: AttachedAccess, isListening: boolean, now: Instant): void {
    if (options.proxyCscf === undefined) return;
    for (const listener of this.#accesses.listenersAt(address))
      if (isListening) this.#agent.addListener(listener, now);
      else this.#agent.removeListener(listener, now);
  }

  /** From the first access behind address translation on: until then another program may have the port there. */
  #listenAtHome(now: Instant): void {
    const { mobileIp } = this.#options;
    if (mobileIp === undefined || this.#isListeningAtHome) return;
    this.#isListeningAtHome = true;
    for (const listener of this.#accesses.listenersAt(mobileIp.homeAddress))
      this.#agent.addListener(listener, now);
  }

  /** Asks the policy; a handover on its way to another access is not interrupted unless its access is lost or leads nowhere. */
  #decide(now: Instant): void {
    if (this.#isStopping) return;
    if (this.#procedure.underWay !== undefined) return void this.#decideForClasses(now);
    const decision = this.#selection.decide(this.#situation, now);
    this.#reviewAt = decision.reviewAt;
    this.#steerClasses(decision.classes ?? [], now);
    const target = decision.chosen === undefined ? undefined : this.#accesses.optionsOf(decision.chosen);
    const isThere = target !== undefined && this.#accesses.isReady(target.index);
    if (isThere && target.index !== this.#procedure.current) this.#procedure.start(target.index, now);
  }

  #decideForClasses(now: Instant): void {
    const classes = this.#options.mobileIp?.flowClasses ?? [];
    this.#reviewAt = undefined;
    if (classes.length === 0) return;
    const decision = this.#selection.decideForClasses(this.#situation, now);
    this.#reviewAt = decision.reviewAt;
    this.#steerClasses(decision.classes ?? [], now);
  }

  get #situation(): AccessSituation {
    const mobileIp = this.#mobileIp;
    const candidates = this.#accesses.ready.map(({ options: { name } }) => ({
      name,
      // An agent that allows one binding only has none over the others.
      isBound: mobileIp?.isMultipath !== true || mobileIp.isBound(name),
      isAnswering: this.#probes.isAnswering(name),
    }));
    return { candidates, current: this.#accesses.optionalName(this.#procedure.current) };
  }

  #steerClasses(classes: readonly ClassDecision[], now: Instant): void {
    const flows = (this.#options.mobileIp?.flowClasses ?? []).flatMap(({ name, selector }) => {
      const chosen = classes.find((one) => one.name === name)?.chosen;
      return chosen === undefined ? [] : [{ selector, accesses: [chosen] }];
    });
    const text = JSON.stringify(flows);
    if (text === this.#saidClasses) return;
    this.#saidClasses = text;
    this.#mobileIp?.preferFlows(flows, now);
  }

  #isForMobileIp(input: NetworkInput): boolean {
    const { mobileIp } = this.#options;
    const isDatagram = input.kind === 'datagram-received' || input.kind === 'datagram-refused';
    return mobileIp !== undefined && isDatagram && input.local.port === (mobileIp.port ?? mobileIpPort);
  }

  #newProcedure(): HandoverProcedure {
    return new HandoverProcedure({
      accesses: this.#accesses,
      selection: this.#selection,
      agent: this.#agent,
      manager: this.#manager,
      userAgent: this.#userAgent,
      mobileIp: this.#mobileIp,
      releaseAfterMs: this.#options.releaseAfterMs,
      isAnswering: (index) => this.#probes.isAnswering(this.#accesses.nameOf(index)),
      decide: (now) => this.#decide(now),
      tell: (event) => this.#tell(event),
      effect: (effect) => this.#effect(effect),
    });
  }

  #tell(event: MobileNodeEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }

  #effect(effect: MobileNodeEffect): void {
    this.#outputs.push({ kind: 'effect', effect });
  }
}
