/**
 * The Mobile IP client of the mobile node (MIP–SIP §3 "MIP in a multihomed version"): registers every access with the home agent at once
 * (RFC 5944 §3.6, RFC 7629), each through its own address with UDP tunnelling (RFC 3519), and keeps all of them bound, so that a handover
 * is one message which says over which access packets shall come from now on. Measures each access (equation 3) by the round trips of its
 * registrations and of echoes in between.
 *
 * With an agent that allows one care-of address only (code 152) just the preferred access registers, and a handover replaces it; the others are
 * measured by requests that move nothing (unbound-prober.ts). The same machine registers with a correspondent that keeps bindings for its own
 * packets (route-optimising-client.ts). Leaves out foreign agents, nonces, dynamic home agent discovery and tunnels without UDP.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import {
  type NetworkInput,
  type NetworkOutput,
  sameTransportAddress,
  type TransportAddress,
} from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import {
  encodeMessage,
  type RegistrationReply,
  type RegistrationRequest,
  type RegistrationRevocation,
} from '../../protocols/mobile-ip/message.ts';
import { isAccepted, replyCode } from '../../protocols/mobile-ip/reply-code.ts';
import { isLater, lowerHalf } from '../../protocols/mobile-ip/timestamp.ts';
import { isTunnelData } from '../../protocols/mobile-ip/tunnel-data.ts';
import { AccessBinding, type AwaitedReply } from './access-binding.ts';
import { AccessOrder } from './access-order.ts';
import { authenticMessage } from './authentic-message.ts';
import { answeredEcho, encodeEcho, type LostEcho } from './echo-prober.ts';
import { type Grant, grantOf } from './grant.ts';
import { lostEchoesUntilRenewal, requestsUntilUnreachable } from './limits.ts';
import type {
  BindingLossReason,
  FlowPreference,
  MobileIpClientEffect,
  MobileIpClientEvent,
  MobileIpClientOptions,
} from './mobile-ip-client-options.ts';
import { RegistrationClock } from './registration-clock.ts';
import { RegistrationTerms } from './registration-terms.ts';
import { Withdrawals } from './withdrawals.ts';

type ReceivedDatagram = Extract<NetworkInput, { kind: 'datagram-received' }>;

export class MobileIpClient implements NetworkFunction<never, MobileIpClientEvent, MobileIpClientEffect> {
  readonly #options: MobileIpClientOptions;
  readonly #clock: RegistrationClock;
  readonly #terms: RegistrationTerms;
  readonly #bindings = new Map<string, AccessBinding>();
  readonly #order: AccessOrder;
  readonly #withdrawals = new Withdrawals();
  readonly #outputs = new Fifo<
    NetworkOutput | EventOutput<MobileIpClientEvent> | EffectOutput<MobileIpClientEffect>
  >();
  /** The wanted state of the tunnel as last said, and the care-of address with it. */
  #saidTunnel: string | undefined;
  #saidForwarding: string | undefined;
  /** The order of accesses that the agent has, by the newest request that it accepted. */
  #told: AwaitedReply | undefined;
  /** When the present order was made, until the agent has it. */
  #orderedAt: Instant | undefined;

  constructor(options: MobileIpClientOptions) {
    this.#options = options;
    this.#clock = new RegistrationClock(options.timeOfDayOffsetMs, options.random);
    this.#terms = new RegistrationTerms(options, this.#clock);
    this.#order = new AccessOrder(options.accesses);
    for (const access of options.accesses)
      this.#bindings.set(access.name, new AccessBinding(access, options));
  }

  /** The access that packets of no particular class take. */
  get forwardingAccess(): string | undefined {
    return this.#order.forwarding(this.#bindings)?.access.name;
  }

  /** The same, once the agent has been told so: what comes for us takes that access too, but for classes of flows with an order of their own. */
  get confirmedAccess(): string | undefined {
    const access = this.#order.forwarding(this.#bindings)?.access;
    return access !== undefined && this.#told?.forwardsTo === access.index ? access.name : undefined;
  }

  /** False: the agent allows one care-of address only, so that accesses that are not preferred are never bound. */
  get isMultipath(): boolean {
    return this.#terms.isMultipath;
  }

  isBound(access: string): boolean {
    return this.#bindings.get(access)?.isBound ?? false;
  }

  /** The access has this address now; it is registered at once. */
  attach(access: string, careOfAddress: string, now: Instant): void {
    const binding = this.#bindings.get(access);
    if (binding === undefined || binding.careOfAddress === careOfAddress) return;
    this.#leave(binding, 'replaced');
    this.#withdrawals.cancel(access);
    binding.attach(careOfAddress, now);
    this.#outputs.push({ kind: 'listen', transport: 'udp', local: this.#terms.localAt(careOfAddress) });
    this.#update(now);
    this.handleTimeout(now);
  }

  /** The access is gone; its binding is taken back over another one, so that nobody who gets the address gets our packets. */
  detach(access: string, now: Instant): void {
    const binding = this.#bindings.get(access);
    if (binding?.careOfAddress === undefined) return;
    const { careOfAddress, isBound } = binding;
    this.#leave(binding, 'detached');
    binding.detach();
    if (isBound && this.#terms.isMultipath) this.#withdrawals.add(access, careOfAddress, now);
    this.#update(now);
    this.handleTimeout(now);
  }

  /** Packets shall take this access whenever it is bound: the handover. */
  forwardOver(access: string, now: Instant): void {
    if (!this.#bindings.has(access)) return;
    this.#order.prefer(access);
    this.#orderedAt = now;
    this.#update(now);
    this.handleTimeout(now);
  }

  /** The whole list of classes with an order of their own. */
  preferFlows(flows: readonly FlowPreference[], now: Instant): void {
    this.#order.preferFlows(flows);
    this.#orderedAt = now;
    this.#update(now);
    this.handleTimeout(now);
  }

  /** Takes all bindings back with one message; nobody waits for its reply. */
  stop(now: Instant): void {
    const forwarding = this.#order.forwarding(this.#bindings);
    if (forwarding?.careOfAddress !== undefined) {
      const { access, careOfAddress } = forwarding;
      this.#transmit(careOfAddress, this.#terms.deregistrationOfAll(access, careOfAddress, now));
    }
    for (const binding of this.#bindings.values()) {
      this.#leave(binding, 'detached');
      binding.detach();
    }
    this.#update(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind !== 'datagram-received' || !sameTransportAddress(input.remote, this.#terms.homeAgent))
      return;
    const binding = this.#bindingAt(input.local);
    if (binding === undefined) return;
    if (isTunnelData(input.payload)) this.#echoReceived(binding, input.payload, now);
    else this.#messageReceived(binding, input, now);
    this.handleTimeout(now);
  }

  handleTimeout(now: Instant): void {
    for (const binding of this.#bindings.values()) {
      if (binding.boundUntil !== undefined && binding.boundUntil <= now) {
        this.#lose(binding, 'expired');
        this.#update(now);
      }
      this.#probe(binding, now);
      this.#probeUnbound(binding, now);
      if (binding.sendAt <= now && this.#mayRegister(binding)) this.#register(binding, now);
    }
    this.#withdraw(now);
  }

  pollTimeout(): Timeout | undefined {
    let earliest: Timeout | undefined;
    const consider = (at: Instant, reason: string): void => {
      if (at < (earliest?.at ?? Number.POSITIVE_INFINITY)) earliest = { at, reason };
    };
    for (const binding of this.#bindings.values()) {
      if (this.#mayRegister(binding)) consider(binding.sendAt, 'registration');
      consider(binding.prober.nextAt, 'echo');
      if (this.#mayProbeUnbound) consider(binding.unboundProber.nextAt, 'probe without a binding');
      consider(binding.boundUntil ?? Number.POSITIVE_INFINITY, 'binding-expires');
    }
    if (this.#order.forwarding(this.#bindings) !== undefined)
      consider(this.#withdrawals.nextAt, 'withdrawal');
    return earliest;
  }

  pollOutput():
    | NetworkOutput
    | EventOutput<MobileIpClientEvent>
    | EffectOutput<MobileIpClientEffect>
    | undefined {
    return this.#outputs.shift();
  }

  /** With one care-of address only the most preferred attached access registers. */
  #mayRegister(binding: AccessBinding): boolean {
    return this.#terms.isMultipath || this.#order.preferred(this.#bindings) === binding;
  }

  #register(binding: AccessBinding, now: Instant): void {
    const { careOfAddress } = binding;
    if (careOfAddress === undefined) return;
    const overdue = binding.takeOverdue(now);
    if (overdue !== undefined) {
      const { sentAt } = overdue;
      const timeoutMs = now - sentAt;
      this.#report({ type: 'round-trip-lost', access: binding.access.name, sentAt, timeoutMs });
    }
    if (binding.unanswered === requestsUntilUnreachable)
      this.#report({ type: 'home-agent-unreachable', access: binding.access.name });
    this.#withdrawals.cancel(binding.access.name);
    const flows = this.#order.flowBindings(this.#bindings, binding);
    const request = this.#terms.registration(binding.access, careOfAddress, flows, now);
    this.#transmit(careOfAddress, request);
    const { identification, lifetimeSeconds } = request;
    const { isMultipath } = this.#terms;
    const order = isMultipath ? JSON.stringify(flows) : binding.access.name;
    const forwardsTo = isMultipath ? flows.at(-1)?.bindingIds[0] : binding.access.index;
    binding.sent({ identification, sentAt: now, lifetimeSeconds, isMultipath, order, forwardsTo });
  }

  /** A binding of an access that is gone, over the access that forwards. */
  #withdraw(now: Instant): void {
    const forwarding = this.#order.forwarding(this.#bindings);
    if (forwarding?.careOfAddress === undefined) return;
    for (const { access, careOfAddress } of this.#withdrawals.takeDue(now)) {
      const binding = this.#bindings.get(access);
      if (binding === undefined) continue;
      const request = this.#terms.deregistration(binding.access, careOfAddress, now);
      this.#withdrawals.sent(access, request.identification);
      this.#transmit(forwarding.careOfAddress, request);
    }
  }

  #messageReceived(binding: AccessBinding, { payload }: ReceivedDatagram, now: Instant): void {
    const message = authenticMessage(payload, this.#options.securityAssociation);
    if (message === undefined || message.homeAddress !== this.#options.homeAddress) return;
    if (message.kind === 'registration-reply') this.#replyReceived(binding, message, now);
    else if (message.kind === 'registration-revocation') this.#revoked(binding, message, now);
  }

  #replyReceived(binding: AccessBinding, reply: RegistrationReply, now: Instant): void {
    const lower = lowerHalf(reply.identification);
    if (this.#withdrawals.answered(lower)) return;
    const probedAt = binding.unboundProber.answered(lower, now);
    if (probedAt !== undefined) return void this.#tellRoundTrip(binding, 'registration', probedAt, now);
    if (binding.awaited === undefined || lowerHalf(binding.awaited.identification) !== lower) return;
    const request = binding.answered(now)!;
    const access = binding.access.name;
    this.#tellRoundTrip(binding, 'registration', request.sentAt, now);
    const grant = grantOf(reply, request.lifetimeSeconds);
    if (!isAccepted(reply.code)) this.#refused(binding, reply, request.isMultipath, now);
    else if (grant === undefined) {
      binding.refused(now);
      this.#report({ type: 'binding-refused', access, code: reply.code, reason: 'no UDP tunnel' });
    } else {
      binding.lastRevocation ??= grant.revocationTimestamp && grant.revocationTimestamp - 1;
      binding.accepted(request.sentAt, grant.lifetimeSeconds, grant.keepaliveMs, now);
      if (this.#told === undefined || isLater(request.identification, this.#told.identification))
        this.#told = request;
      this.#accepted(binding, grant, now);
    }
  }

  #tellRoundTrip(
    { access }: AccessBinding,
    by: 'registration' | 'echo',
    sentAt: Instant,
    now: Instant,
  ): void {
    this.#report({ type: 'round-trip-measured', access: access.name, by, sentAt, rttMs: now - sentAt });
  }

  #tellLost({ access }: AccessBinding, lost: readonly LostEcho[]): void {
    for (const { sentAt, timeoutMs } of lost)
      this.#report({ type: 'round-trip-lost', access: access.name, sentAt, timeoutMs });
  }

  #accepted(binding: AccessBinding, { lifetimeSeconds, isBehindNat }: Grant, now: Instant): void {
    const access = binding.access.name;
    if (!this.#terms.isMultipath)
      for (const other of this.#bindings.values())
        if (other !== binding && other.isBound) this.#lose(other, 'replaced');
    const careOfAddress = binding.careOfAddress ?? '';
    this.#report({ type: 'binding-accepted', access, careOfAddress, lifetimeSeconds, isBehindNat });
    this.#update(now);
  }

  #refused(binding: AccessBinding, reply: RegistrationReply, wasMultipath: boolean, now: Instant): void {
    const { code } = reply;
    if (code === replyCode.identificationMismatch) {
      const byMs = this.#clock.resynchronise(reply.identification, now);
      if (byMs !== 0) this.#report({ type: 'clock-resynchronised', byMs });
      binding.sendSoon(now);
    } else if (code === replyCode.invalidFlowBindingIdentifier) this.#registerAnew(binding, now);
    else if (this.#terms.adaptTo(reply, wasMultipath)) binding.sendSoon(now);
    else {
      const text = reply.extensions.find((extension) => extension.kind === 'message-string')?.text;
      binding.refused(now);
      this.#report({ type: 'binding-refused', access: binding.access.name, code, reason: text ?? '' });
      if (this.#isDispensable) this.#giveUp(binding, 'refused', now);
    }
  }

  /** Its packets have another way than this tunnel. */
  get #isDispensable(): boolean {
    return this.#options.agentRole === 'correspondent';
  }

  /**
   * Nothing is sent through it any more. What the agent may still have of it is taken back over another access, so that it does not send
   * there either; a new attempt waits until that has surely been overtaken.
   */
  #giveUp(binding: AccessBinding, reason: BindingLossReason, now: Instant): void {
    const { careOfAddress, isBound, access } = binding;
    if (!isBound || careOfAddress === undefined) return;
    this.#lose(binding, reason);
    if (this.#terms.isMultipath && this.#bound().length > 0) {
      this.#withdrawals.add(access.name, careOfAddress, now);
      if (reason === 'unanswered') binding.refused(now);
    }
    this.#update(now);
  }

  /** The agent does not know accesses that we count as bound (RFC 7629 §5.1). */
  #registerAnew(refused: AccessBinding, now: Instant): void {
    for (const binding of this.#bindings.values()) {
      if (binding !== refused && binding.isBound) this.#lose(binding, 'replaced');
      if (binding.careOfAddress !== undefined) binding.sendSoon(now);
    }
    this.#update(now);
  }

  /** RFC 3543 §3.5: by the home agent, and neither a repetition nor our own reflected. */
  #revoked(binding: AccessBinding, revocation: RegistrationRevocation, now: Instant): void {
    const { revocationIdentifier, foreignDomainAddress, informs, homeAddress } = revocation;
    const last = binding.lastRevocation ?? revocationIdentifier;
    if (!revocation.byHomeAgent || ((revocationIdentifier - last) | 0) <= 0) return;
    binding.lastRevocation = revocationIdentifier;
    const acknowledgment = { kind: 'revocation-acknowledgment', informs, homeAddress } as const;
    this.#send(
      binding.careOfAddress ?? '',
      encodeMessage(
        { ...acknowledgment, revocationIdentifier, extensions: [] },
        this.#options.securityAssociation,
      ),
    );
    if (!binding.isBound || binding.careOfAddress !== foreignDomainAddress) return;
    this.#lose(binding, 'revoked');
    // Service is negotiated anew (RFC 3543 §1), but not at once: it was not by chance that it ended.
    binding.refused(now);
    this.#update(now);
  }

  #probe(binding: AccessBinding, now: Instant): void {
    const { prober, careOfAddress } = binding;
    this.#tellLost(binding, prober.takeLost(now));
    if (prober.lostInARow >= lostEchoesUntilRenewal) {
      prober.shortenKeepalive();
      binding.sendSoon(now);
      if (this.#isDispensable) this.#giveUp(binding, 'unanswered', now);
    }
    const sequenceNumber = prober.takeDue(now);
    if (sequenceNumber === undefined || careOfAddress === undefined) return;
    const payload = encodeEcho(this.#terms.echoFlowOf(binding.access), sequenceNumber);
    this.#send(careOfAddress, payload);
  }

  #probeUnbound(binding: AccessBinding, now: Instant): void {
    const { unboundProber, careOfAddress, access } = binding;
    const forwarding = this.#order.forwarding(this.#bindings);
    // Behind two address translators two accesses may have the same private address.
    const isMeasured = !this.#mayRegister(binding) && forwarding?.careOfAddress !== careOfAddress;
    if (!isMeasured || careOfAddress === undefined) return void unboundProber.stop();
    unboundProber.start(now);
    if (!this.#mayProbeUnbound) return;
    this.#tellLost(binding, unboundProber.takeLost(now));
    const sequence = unboundProber.takeDue(now);
    if (sequence === undefined) return;
    const request = this.#terms.deregistration(access, careOfAddress, now);
    unboundProber.sent(sequence, lowerHalf(request.identification));
    this.#transmit(careOfAddress, request);
  }

  /** Not ahead of a registration: an agent that has one order for all requests (RFC 5944 §5.7.1) would refuse what was overtaken. */
  get #mayProbeUnbound(): boolean {
    const preferred = this.#order.preferred(this.#bindings);
    return preferred?.isBound === true && preferred.awaited === undefined;
  }

  #echoReceived(binding: AccessBinding, payload: Uint8Array, now: Instant): void {
    const sequenceNumber = answeredEcho(payload, this.#terms.echoFlowOf(binding.access));
    const sentAt = sequenceNumber === undefined ? undefined : binding.prober.answered(sequenceNumber, now);
    if (sentAt !== undefined) this.#tellRoundTrip(binding, 'echo', sentAt, now);
  }

  /**
   * Whether the agent has the present order of accesses; if nothing is under way that tells it, a request does: over the access that
   * shall forward, or over whichever may send sooner.
   */
  #tellOrder(now: Instant): void {
    const forwarding = this.#order.forwarding(this.#bindings);
    const preferred = this.#order.preferred(this.#bindings);
    const order = this.#presentOrder;
    if (forwarding === undefined) return;
    if (this.#told?.order === order) {
      if (this.#orderedAt !== undefined) {
        const access = forwarding.access.name;
        this.#report({ type: 'forwarding-confirmed', access, durationMs: now - this.#orderedAt });
      }
      this.#orderedAt = undefined;
      return;
    }
    this.#orderedAt ??= now;
    if ([...this.#bindings.values()].some(({ awaited }) => awaited?.order === order)) return;
    const chosen = this.#terms.isMultipath ? forwarding : preferred;
    // Which accesses are to follow when that one fails is no movement.
    const isMovement = this.#told?.forwardsTo !== chosen?.access.index;
    const at = forwarding.canSendAt(now, isMovement);
    const sooner = this.#bound().find((one) => one.canSendAt(now, isMovement) < at);
    ((this.#terms.isMultipath && sooner) || chosen)?.sendSoon(now, isMovement);
  }

  get #presentOrder(): string | undefined {
    return this.#terms.isMultipath
      ? JSON.stringify(this.#order.flowBindings(this.#bindings))
      : this.#order.preferred(this.#bindings)?.access.name;
  }

  /** Says the tunnel's state and the care-of address where they have changed. */
  #update(now: Instant): void {
    const { homeAddress } = this.#options;
    const addresses = { homeAddress, homeAgent: this.#terms.homeAgent.address };
    const binding = this.#order.tunnelBinding(this.#bindings, addresses, ({ careOfAddress = '' }) =>
      this.#terms.endpointAt(careOfAddress),
    );
    const text = binding && JSON.stringify(binding);
    if (text !== this.#saidTunnel)
      this.#outputs.push({
        kind: 'effect',
        effect: {
          type: 'tunnel',
          change: binding === undefined ? { kind: 'unbind', homeAddress } : { kind: 'bind', binding },
        },
      });
    this.#saidTunnel = text;
    this.#tellCareOfAddress();
    this.#tellOrder(now);
  }

  #tellCareOfAddress(): void {
    const forwarding = this.#order.forwarding(this.#bindings);
    if (forwarding?.careOfAddress === this.#saidForwarding) return;
    this.#saidForwarding = forwarding?.careOfAddress;
    this.#report({
      type: 'care-of-address-changed',
      ...(forwarding?.careOfAddress !== undefined && {
        access: forwarding.access.name,
        careOfAddress: forwarding.careOfAddress,
      }),
    });
  }

  #bound(): AccessBinding[] {
    return [...this.#bindings.values()].filter(({ isBound }) => isBound);
  }

  #lose(binding: AccessBinding, reason: BindingLossReason): void {
    binding.lost();
    this.#report({ type: 'binding-lost', access: binding.access.name, reason });
  }

  #leave(binding: AccessBinding, reason: BindingLossReason): void {
    if (binding.careOfAddress === undefined) return;
    if (binding.isBound) this.#report({ type: 'binding-lost', access: binding.access.name, reason });
    const local = this.#terms.localAt(binding.careOfAddress);
    this.#outputs.push({ kind: 'stop-listening', transport: 'udp', local });
  }

  #transmit(careOfAddress: string, request: RegistrationRequest): void {
    this.#send(careOfAddress, encodeMessage(request, this.#options.securityAssociation));
  }

  #send(careOfAddress: string, payload: Uint8Array): void {
    const local = this.#terms.localAt(careOfAddress);
    this.#outputs.push({ kind: 'transmit', transport: 'udp', local, remote: this.#terms.homeAgent, payload });
  }

  #bindingAt(local: TransportAddress): AccessBinding | undefined {
    if (local.port !== this.#terms.port) return undefined;
    return [...this.#bindings.values()].find(({ careOfAddress }) => careOfAddress === local.address);
  }

  #report(event: MobileIpClientEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}
