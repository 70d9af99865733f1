/**
 * The home agent of MIP–SIP fig. 3: registrations of mobile nodes (RFC 5944 §3.8) over any number of accesses at once (RFC 7629), UDP
 * tunnels with keep-alives through address translation (RFC 3519), reverse tunnels only (RFC 3024), revocation (RFC 3543), and what the
 * home link has to believe meanwhile (ARP, RFC 5944 §4.6). Packets themselves are carried by the tunnel's data path, which gets whole
 * states of each home address as effects.
 *
 * Requests of one mobile node are dealt with one after the other: judged, written into the journal, and only then in force and answered,
 * so a crash at any point loses no binding that was confirmed. Leaves out foreign agents, nonces, broadcasts (the B flag is ignored, as
 * §3.8.2 has it) and home addresses given out dynamically; the SIP proxy function follows 'binding-changed'.
 */
import { Fifo } from '../../base/fifo.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { Malformed } from '../../base/malformed.ts';
import {
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { RefusalLog } from '../../base/refusal-log.ts';
import type { SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import {
  decodeMessage,
  encodeMessage,
  type MobileIpMessage,
  type ReceivedMessage,
} from '../../protocols/mobile-ip/message.ts';
import { replyCode } from '../../protocols/mobile-ip/reply-code.ts';
import { ntpTimestamp } from '../../protocols/mobile-ip/timestamp.ts';
import { isTunnelData } from '../../protocols/mobile-ip/tunnel-data.ts';
import { BindingCache, type CacheChange } from './binding-cache.ts';
import { echoReplyTo } from './echo-responder.ts';
import type {
  HomeAgentEffect,
  HomeAgentEvent,
  HomeAgentInput,
  HomeAgentOptions,
  RefusalReason,
  RegistrationPolicy,
  RemovalReason,
} from './home-agent-options.ts';
import { HomeLink } from './home-link.ts';
import {
  defaultKeepaliveSeconds,
  defaultMaximumLifetimeBehindNatSeconds,
  defaultMaximumLifetimeSeconds,
  defaultTimestampToleranceMs,
  maximumWaitingRequests,
} from './limits.ts';
import type { MobilityRecord } from './mobility-record.ts';
import { judgeRegistration, type RegistrationOutcome } from './registration.ts';
import { createReply } from './registration-reply.ts';
import { RevocationSender } from './revocation-sender.ts';
import { type ReceivedDatagram, type Requester, ServedMobileNodes } from './served-mobile-nodes.ts';

/** A request whose authenticator is right. */
interface RegistrationJob extends Requester {
  readonly kind: 'registration';
  readonly received: ReceivedMessage;
  readonly local: TransportAddress;
}

interface RevocationJob {
  readonly kind: 'revocation';
  readonly homeAddress: string;
  /** Absent: all. */
  readonly careOfAddress: string | undefined;
}

type Job = RegistrationJob | RevocationJob;

/** A change that is not in force before the journal has it. */
interface PendingChange {
  readonly job: Job;
  readonly record: MobilityRecord;
  readonly lifetimeSeconds: number;
}

interface Denial {
  readonly code: number;
  /** For people. */
  readonly reason?: string;
}

const authenticationFailed: Denial = {
  code: replyCode.mobileNodeFailedAuthentication,
  reason: 'authentication failed',
};
const journalFailed: Denial = { code: replyCode.insufficientResources, reason: 'the journal failed' };

export class HomeAgent implements NetworkFunction<HomeAgentInput, HomeAgentEvent, HomeAgentEffect> {
  readonly #role: 'home-agent' | 'correspondent';
  readonly #local: TransportAddress;
  readonly #policy: RegistrationPolicy;
  readonly #keepaliveSeconds: number;
  readonly #timeOfDayOffsetMs: DurationMs;
  readonly #mobileNodes: ServedMobileNodes;
  readonly #cache: BindingCache;
  readonly #homeLink: HomeLink;
  readonly #revocations: RevocationSender;
  readonly #refusals = new RefusalLog<RefusalReason>();
  /** By the effect that writes them. */
  readonly #pending = new Map<number, PendingChange>();
  /** What waits until the change before it is in the journal, per home address. */
  readonly #waiting = new Map<string, Job[]>();
  readonly #outputs = new Fifo<NetworkOutput | EventOutput<HomeAgentEvent> | EffectOutput<HomeAgentEffect>>();
  #effects = 0;

  constructor(options: HomeAgentOptions) {
    this.#local = { address: options.address, port: options.port ?? 434 };
    this.#keepaliveSeconds = options.keepaliveSeconds ?? defaultKeepaliveSeconds;
    this.#timeOfDayOffsetMs = options.timeOfDayOffsetMs;
    this.#policy = {
      homeAgent: options.address,
      maximumLifetimeSeconds: options.maximumLifetimeSeconds ?? defaultMaximumLifetimeSeconds,
      maximumLifetimeBehindNatSeconds:
        options.maximumLifetimeBehindNatSeconds ?? defaultMaximumLifetimeBehindNatSeconds,
      timestampToleranceMs: options.timestampToleranceMs ?? defaultTimestampToleranceMs,
    };
    this.#mobileNodes = new ServedMobileNodes(options.mobileNodes);
    const { address, role = 'home-agent' } = options;
    this.#role = role;
    this.#homeLink = new HomeLink(role === 'home-agent');
    this.#cache = new BindingCache({ address, role }, options.timeOfDayOffsetMs);
    this.#revocations = new RevocationSender(options.address, options.timeOfDayOffsetMs);
    for (const line of this.#cache.replay(options.journal ?? []))
      this.#report({ type: 'journal-damaged', line });
  }

  /** Bindings of all mobile nodes. */
  get bindings(): number {
    return this.#cache.bindings;
  }

  /** How often what was refused. */
  get refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#refusals.totals;
  }

  record(homeAddress: string): MobilityRecord {
    return this.#cache.record(homeAddress);
  }

  /** The journal as short as it can be, for the host to write in place of the one that grew. */
  journalSnapshot(): readonly string[] {
    return this.#cache.journalSnapshot();
  }

  start(now: Instant): void {
    this.#outputs.push({ kind: 'listen', transport: 'udp', local: this.#local });
    for (const homeAddress of this.#cache.homeAddresses()) {
      if (this.#mobileNodes.get(homeAddress) === undefined) this.#cache.forget(homeAddress);
      else this.#carryOut(homeAddress, this.#cache.restore(homeAddress, now), 'expired', now);
    }
  }

  /**
   * Bindings stay in the journal; the host takes the kernel state away. A correspondent revokes them, so that its mobile nodes send by way
   * of the home agent from now on.
   */
  stop(now: Instant): void {
    if (this.#role === 'correspondent') {
      for (const homeAddress of this.#cache.homeAddresses())
        this.#revocations.revoke(homeAddress, this.#cache.liveRecord(homeAddress, now).bindings, now);
      this.handleTimeout(now);
    }
    this.#outputs.push({ kind: 'stop-listening', transport: 'udp', local: this.#local });
  }

  handleInput(input: NetworkInput | HomeAgentInput, now: Instant): void {
    if (input.kind === 'effect-completed') this.#journalWritten(input.id, input.error, now);
    else if (input.kind === 'datagram-received') this.#datagramReceived(input, now);
    else if (input.kind === 'revoke') {
      const { homeAddress, careOfAddress } = input;
      this.#enqueue({ kind: 'revocation', homeAddress, careOfAddress }, now);
    }
  }

  handleTimeout(now: Instant): void {
    for (const [homeAddress, change] of this.#cache.expire(now))
      this.#carryOut(homeAddress, change, 'expired', now);
    for (const effect of this.#homeLink.handleTimeout(now)) this.#outputs.push({ kind: 'effect', effect });
    for (const { homeAddress, local, remote, message } of this.#revocations.handleTimeout(now)) {
      const association = this.#mobileNodes.get(homeAddress)?.securityAssociations[0];
      if (association !== undefined) this.#send(message, association, local, remote);
    }
  }

  pollTimeout(): Timeout | undefined {
    const others = earlierTimeout(this.#homeLink.pollTimeout(), this.#revocations.pollTimeout());
    return earlierTimeout(others, this.#cache.pollTimeout());
  }

  pollOutput(): NetworkOutput | EventOutput<HomeAgentEvent> | EffectOutput<HomeAgentEffect> | undefined {
    return this.#outputs.shift();
  }

  #datagramReceived(input: ReceivedDatagram, now: Instant): void {
    const { local, remote, payload } = input;
    if (isTunnelData(payload)) {
      const reply = echoReplyTo(payload, this.#local.address, (homeAddress) =>
        this.#cache.bindingBetween(homeAddress, local, remote),
      );
      if (reply === undefined) this.#refuse('', remote, 'spoofed-tunnel-packet', now);
      else this.#outputs.push({ kind: 'transmit', transport: 'udp', local, remote, payload: reply });
      return;
    }
    const received = decodeMessage(payload);
    if (received instanceof Malformed) this.#refuse('', remote, 'malformed', now);
    else this.#messageReceived(received, input, now);
  }

  #messageReceived(
    received: ReceivedMessage,
    { local, remote, payload }: ReceivedDatagram,
    now: Instant,
  ): void {
    const { message } = received;
    const screening = this.#mobileNodes.screen(received, payload);
    if (screening.kind === 'refused') {
      const { homeAddress, reason, association } = screening;
      this.#refuse(homeAddress, remote, reason, now);
      if (message.kind === 'registration-request' && association !== undefined)
        this.#deny({ request: message, homeAddress, association, remote }, authenticationFailed, now);
      return;
    }
    const { association } = screening;
    const { homeAddress } = screening.mobileNode;
    if (message.kind === 'registration-request') {
      const requester: Requester = { request: message, homeAddress, association, remote };
      this.#enqueue({ kind: 'registration', ...requester, received, local }, now);
    } else if (message.kind === 'revocation-acknowledgment') {
      const careOfAddress = this.#revocations.acknowledge(homeAddress, message.revocationIdentifier);
      if (careOfAddress === undefined) this.#refuse(homeAddress, remote, 'replayed', now);
      else this.#report({ type: 'revocation-acknowledged', homeAddress, careOfAddress });
      // Replies and revocations are ours to send: somebody reflects them.
    } else this.#refuse(homeAddress, remote, 'replayed', now);
  }

  #enqueue(job: Job, now: Instant): void {
    const waiting = this.#waiting.get(job.homeAddress);
    if (waiting === undefined) {
      if (this.#begin(job, now)) this.#waiting.set(job.homeAddress, []);
    } else if (waiting.length < maximumWaitingRequests) waiting.push(job);
    else if (job.kind === 'registration') this.#refuse(job.homeAddress, job.remote, 'too-many-requests', now);
  }

  /** Whether there is now something for the journal to be waited for. */
  #begin(job: Job, now: Instant): boolean {
    const record = this.#cache.liveRecord(job.homeAddress, now);
    if (job.kind === 'revocation') {
      const bindings = record.bindings.filter(
        ({ careOfAddress }) => job.careOfAddress !== undefined && careOfAddress !== job.careOfAddress,
      );
      if (bindings.length === record.bindings.length) return false;
      return this.#write({ job, record: { ...record, bindings }, lifetimeSeconds: 0 });
    }
    const outcome = this.#judge(job, record, now);
    if (outcome.kind === 'accepted') return this.#write({ ...outcome, job });
    if (outcome.kind === 'repeated')
      this.#answer(job, { code: replyCode.accepted }, outcome.lifetimeSeconds, now);
    else {
      this.#refuse(job.homeAddress, job.remote, outcome.cause, now);
      this.#deny(job, outcome, now);
    }
    return false;
  }

  #judge(job: RegistrationJob, record: MobilityRecord, now: Instant): RegistrationOutcome {
    const { request, received, local, remote } = job;
    // RFC 3519 §4.6.1: behind the authentication a foreign agent put it, which registers no co-located address.
    const isOfForeignAgent = received.unprotected.some(({ kind }) => kind === 'udp-tunnel-request');
    return judgeRegistration(record, request, {
      mobileNode: this.#mobileNodes.get(job.homeAddress)!,
      policy: this.#policy,
      clock: { timestamp: this.#timestamp(now), toleranceMs: this.#policy.timestampToleranceMs },
      local,
      remote,
      isPoorlyFormed:
        received.malformed !== undefined || (isOfForeignAgent && request.decapsulationByMobileNode),
      now,
    });
  }

  #write(change: PendingChange): boolean {
    const id = ++this.#effects;
    this.#pending.set(id, change);
    const line = this.#cache.journalLine(change.record);
    this.#outputs.push({ kind: 'effect', effect: { type: 'journal', id, line } });
    return true;
  }

  #journalWritten(id: number, error: string | undefined, now: Instant): void {
    const change = this.#pending.get(id);
    if (change === undefined) return;
    this.#pending.delete(id);
    const { homeAddress } = change.job;
    if (error === undefined) this.#commit(change, now);
    else {
      this.#report({ type: 'journal-failed', homeAddress, reason: error });
      if (change.job.kind === 'registration') this.#deny(change.job, journalFailed, now);
    }
    this.#continue(homeAddress, now);
  }

  /** Deals with what waited, until that has to wait for the journal itself. */
  #continue(homeAddress: string, now: Instant): void {
    const waiting = this.#waiting.get(homeAddress) ?? [];
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift())
      if (this.#begin(job, now)) return;
    this.#waiting.delete(homeAddress);
  }

  #commit({ job, record, lifetimeSeconds }: PendingChange, now: Instant): void {
    const { homeAddress } = job;
    const change = this.#cache.replace(record, now);
    if (job.kind === 'revocation') {
      this.#carryOut(homeAddress, change, 'revoked', now);
      this.#revocations.revoke(homeAddress, change.removed, now);
    } else {
      this.#carryOut(homeAddress, change, lifetimeSeconds === 0 ? 'deregistered' : 'replaced', now);
      this.#revocations.cancel(homeAddress, job.request.careOfAddress);
      if (lifetimeSeconds > 0) this.#registered(job, lifetimeSeconds);
      // RFC 5944 §4.6: the mobile node is at home again and says so from there.
      else if (job.remote.address === homeAddress && !this.#cache.has(homeAddress))
        this.#homeLink.handOver(homeAddress, now);
      this.#answer(job, { code: replyCode.accepted }, lifetimeSeconds, now);
    }
    // Revocations and announcements that begin at once.
    this.handleTimeout(now);
  }

  #registered({ request, remote, homeAddress }: RegistrationJob, lifetimeSeconds: number): void {
    const multipath = request.extensions.find((extension) => extension.kind === 'multipath');
    const { careOfAddress } = request;
    this.#report({
      type: 'binding-registered',
      homeAddress,
      careOfAddress,
      bindingId: multipath?.bindingId,
      lifetimeSeconds,
      isBehindNat: remote.address !== careOfAddress,
    });
  }

  /** What a changed record means for the tunnel, the home link and everybody who listens. */
  #carryOut(homeAddress: string, change: CacheChange, reason: RemovalReason, now: Instant): void {
    for (const { careOfAddress, bindingId } of change.removed)
      this.#report({ type: 'binding-removed', homeAddress, careOfAddress, bindingId, reason });
    if (change.tunnel !== undefined)
      this.#outputs.push({ kind: 'effect', effect: { type: 'tunnel', change: change.tunnel } });
    if (change.isServed !== undefined)
      for (const effect of this.#homeLink.serve(homeAddress, change.isServed, now))
        this.#outputs.push({ kind: 'effect', effect });
    if (change.forwarding === undefined) return;
    this.#report({ type: 'binding-changed', homeAddress, ...change.forwarding });
  }

  #deny(requester: Requester, denial: Denial, now: Instant): void {
    this.#answer(requester, denial, 0, now);
  }

  /** From our own address even when the request went to a broadcast one (RFC 5944 §3.8.3.1). */
  #answer(requester: Requester, { code, reason }: Denial, lifetimeSeconds: number, now: Instant): void {
    const { request, homeAddress, association, remote } = requester;
    const reply = createReply(request, {
      code,
      lifetimeSeconds,
      reason,
      homeAddress,
      homeAgent: this.#local.address,
      isBehindNat: remote.address !== request.careOfAddress,
      keepaliveSeconds: this.#keepaliveSeconds,
      timestamp: this.#timestamp(now),
    });
    this.#send(reply, association, this.#local, remote);
  }

  #send(
    message: MobileIpMessage,
    association: SecurityAssociation,
    local: TransportAddress,
    remote: TransportAddress,
  ): void {
    const payload = encodeMessage(message, association);
    this.#outputs.push({ kind: 'transmit', transport: 'udp', local, remote, payload });
  }

  #refuse(homeAddress: string, remote: TransportAddress, reason: RefusalReason, now: Instant): void {
    const count = this.#refusals.note(homeAddress, reason, now);
    if (count === undefined) return;
    const source = formatTransportAddress(remote);
    this.#report({ type: 'request-refused', homeAddress, source, reason, count });
  }

  #timestamp(now: Instant): bigint {
    return ntpTimestamp(now + this.#timeOfDayOffsetMs);
  }

  #report(event: HomeAgentEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}
