/**
 * What becomes of one authenticated Registration Request (RFC 5944 §3.8.2, RFC 3519 §4.6, RFC 7629 §5.2): a function of the request, the
 * mobile node's record and the time, which gives the reply's code and the record as it would be.
 *
 * A request never undoes what a later-made one established: requests over several accesses overtake each other, so one that clears all
 * other bindings clears those made before it, and an older list of flow bindings does not replace a newer one.
 */
import type { Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type {
  Extension,
  FlowBinding,
  Multipath,
  UdpTunnelRequest,
} from '../../protocols/mobile-ip/extension.ts';
import type { RegistrationRequest } from '../../protocols/mobile-ip/message.ts';
import {
  acceptIdentification,
  judgeIdentification,
  type ReplayClock,
} from '../../protocols/mobile-ip/replay-window.ts';
import { replyCode } from '../../protocols/mobile-ip/reply-code.ts';
import { isLater } from '../../protocols/mobile-ip/timestamp.ts';
import { toTunnelSelector } from '../../protocols/mobile-ip/traffic-selector.ts';
import type { RegistrationPolicy, ServedMobileNode } from './home-agent-options.ts';
import { maximumBindingsPerMobileNode } from './limits.ts';
import type { Binding, FlowRule, MobilityRecord } from './mobility-record.ts';

export interface RegistrationContext {
  readonly mobileNode: ServedMobileNode;
  readonly policy: RegistrationPolicy;
  readonly clock: ReplayClock;
  readonly local: TransportAddress;
  /** Where the request came from. */
  readonly remote: TransportAddress;
  /** An extension has a value that it may not have, or stands where only a foreign agent puts it. */
  readonly isPoorlyFormed: boolean;
  readonly now: Instant;
}

export type RegistrationOutcome =
  | { readonly kind: 'accepted'; readonly lifetimeSeconds: number; readonly record: MobilityRecord }
  /** The accepted request once more: the same answer, nothing changes. */
  | { readonly kind: 'repeated'; readonly lifetimeSeconds: number }
  | {
      readonly kind: 'denied';
      readonly code: number;
      /** For people (RFC 4917). */
      readonly reason: string;
      readonly cause: 'replayed' | 'outside-tolerance' | 'denied';
    };

type Denial = Extract<RegistrationOutcome, { kind: 'denied' }>;

export function judgeRegistration(
  record: MobilityRecord,
  request: RegistrationRequest,
  context: RegistrationContext,
): RegistrationOutcome {
  const path = pathOf(request);
  const verdict = judgeIdentification(record.replay, path, request.identification, context.clock);
  if (verdict === 'repeated') return judgeRepetition(record, request, context);
  if (verdict !== 'fresh') return mismatch(verdict === 'old' ? 'replayed' : 'outside-tolerance');
  const denial = denialOf(record, request, context);
  if (denial !== undefined) return denial;
  const lifetimeSeconds = grantedLifetime(request, context);
  const changed = { ...record, ...bindingsAfter(record, request, context, lifetimeSeconds) };
  const flows = flowsOf(request, context.mobileNode.homeAddress);
  const replay = acceptIdentification(
    record.replay,
    path,
    request.identification,
    clearsOthers(request),
    context.clock,
  );
  return { kind: 'accepted', lifetimeSeconds, record: withFlows({ ...changed, replay }, flows, request) };
}

/** UDP tunnelling is what our data path has, so a registration without it is of no use (RFC 3519 §4.6). */
export function tunnelRequestOf(extensions: readonly Extension[]): UdpTunnelRequest | undefined {
  return extensions.find((extension) => extension.kind === 'udp-tunnel-request');
}

/** Requests of one path are ordered among themselves; see replay-window.ts. */
function pathOf(request: RegistrationRequest): string | undefined {
  const multipath = multipathOf(request);
  if (multipath !== undefined) return `bid ${multipath.bindingId}`;
  if (isForAll(request)) return undefined;
  const isOne = request.simultaneousBindings || request.lifetimeSeconds === 0;
  return isOne ? `care-of ${request.careOfAddress}` : undefined;
}

/** RFC 5944 §3.8.2.2: lifetime 0 with the home address as care-of address takes everything back. */
function isForAll(request: RegistrationRequest): boolean {
  return request.lifetimeSeconds === 0 && request.careOfAddress === request.homeAddress;
}

function clearsOthers(request: RegistrationRequest): boolean {
  const multipath = multipathOf(request);
  if (isForAll(request)) return true;
  if (multipath !== undefined)
    return multipath.overwrite || (multipath.bulk && request.lifetimeSeconds === 0);
  return !request.simultaneousBindings && request.lifetimeSeconds > 0;
}

/**
 * The network doubled it, or somebody sends it again. The sender of the first one gets the answer that he may have missed; nobody else,
 * and nothing changes: above all not where the tunnel leads.
 */
function judgeRepetition(
  record: MobilityRecord,
  request: RegistrationRequest,
  { remote }: RegistrationContext,
): RegistrationOutcome {
  if (request.lifetimeSeconds === 0) return { kind: 'repeated', lifetimeSeconds: 0 };
  const binding = record.bindings.find(({ identification }) => identification === request.identification);
  const isSame =
    binding?.careOfAddress === request.careOfAddress &&
    binding.remote.address === remote.address &&
    binding.remote.port === remote.port;
  return isSame ? { kind: 'repeated', lifetimeSeconds: binding.lifetimeSeconds } : mismatch('replayed');
}

function mismatch(cause: Denial['cause']): Denial {
  return denied(replyCode.identificationMismatch, 'identification mismatch', cause);
}

function denied(code: number, reason: string, cause: Denial['cause'] = 'denied'): Denial {
  return { kind: 'denied', code, reason, cause };
}

function denialOf(
  record: MobilityRecord,
  request: RegistrationRequest,
  context: RegistrationContext,
): Denial | undefined {
  const { mobileNode, policy } = context;
  if (request.homeAgent !== policy.homeAgent || context.local.address !== policy.homeAgent)
    return denied(replyCode.unknownHomeAgentAddress, `the home agent is ${policy.homeAgent}`);
  if (context.isPoorlyFormed) return denied(replyCode.poorlyFormedRequest, 'an extension is poorly formed');
  if (request.homeAddress !== mobileNode.homeAddress && request.homeAddress !== '0.0.0.0')
    return denied(replyCode.administrativelyProhibited, 'the home address is not yours');
  const multipath = multipathOf(request);
  const namesPaths = multipath !== undefined || flowBindingsOf(request).length > 0;
  if (namesPaths && mobileNode.isMultipathAllowed === false)
    return denied(replyCode.multipathNotAllowed, 'one care-of address only');
  if (request.lifetimeSeconds === 0) return undefined;
  return tunnelDenial(request) ?? flowDenial(record, request, context) ?? limitDenial(record, request);
}

function tunnelDenial(request: RegistrationRequest): Denial | undefined {
  const tunnelRequest = tunnelRequestOf(request.extensions);
  const wantsOther = request.minimalEncapsulation || request.genericRoutingEncapsulation;
  if (tunnelRequest === undefined) {
    if (wantsOther) return denied(replyCode.encapsulationUnavailable, 'UDP encapsulation only');
    return denied(replyCode.administrativelyProhibited, 'a UDP tunnel request (RFC 3519) is needed');
  }
  if (!request.decapsulationByMobileNode)
    return denied(replyCode.poorlyFormedRequest, 'UDP tunnelling needs the D flag');
  const isIpInUdp = tunnelRequest.encapsulation === 4 || (tunnelRequest.encapsulation === 0 && !wantsOther);
  if (!isIpInUdp) return denied(replyCode.udpEncapsulationUnavailable, 'IP in UDP only');
  // Behind strict source filtering a mobile node cannot send without (RFC 3024 §5.2 lets the agent insist).
  return request.reverseTunnel ? undefined : denied(replyCode.reverseTunnelRequired, 'the T flag is needed');
}

/**
 * RFC 7629 §5.2 refuses when the agent "cannot identify any" of the identifiers: one known path is enough, so that registrations with
 * the same flow bindings over all accesses may arrive in any order.
 */
function flowDenial(
  record: MobilityRecord,
  request: RegistrationRequest,
  { mobileNode }: RegistrationContext,
): Denial | undefined {
  const known = new Set(record.bindings.map(({ bindingId }) => bindingId));
  known.add(multipathOf(request)?.bindingId);
  for (const flow of flowBindingsOf(request)) {
    if (flow.action === 'forward' && !flow.bindingIds.some((id) => known.has(id)))
      return denied(replyCode.invalidFlowBindingIdentifier, 'no such binding identifier');
    if (toTunnelSelector(flow.selector, mobileNode.homeAddress) === undefined)
      return denied(
        replyCode.administrativelyProhibited,
        'flows are selected by protocol, ports and one address only',
      );
  }
  return undefined;
}

function limitDenial(record: MobilityRecord, request: RegistrationRequest): Denial | undefined {
  if (clearsOthers(request) || record.bindings.some((binding) => isSameBinding(binding, request)))
    return undefined;
  return record.bindings.length < maximumBindingsPerMobileNode
    ? undefined
    : denied(replyCode.tooManyBindings, `${maximumBindingsPerMobileNode} bindings at most`);
}

function isSameBinding(binding: Binding, request: RegistrationRequest): boolean {
  const multipath = multipathOf(request);
  if (multipath !== undefined) return binding.bindingId === multipath.bindingId;
  return binding.bindingId === undefined && binding.careOfAddress === request.careOfAddress;
}

function grantedLifetime(request: RegistrationRequest, { policy, remote }: RegistrationContext): number {
  const isTranslated = remote.address !== request.careOfAddress;
  const maximum = isTranslated
    ? Math.min(policy.maximumLifetimeSeconds, policy.maximumLifetimeBehindNatSeconds)
    : policy.maximumLifetimeSeconds;
  return Math.min(request.lifetimeSeconds, maximum);
}

function bindingsAfter(
  { bindings }: MobilityRecord,
  request: RegistrationRequest,
  context: RegistrationContext,
  lifetimeSeconds: number,
): Pick<MobilityRecord, 'bindings'> {
  const isOlder = (one: Binding): boolean => isLater(request.identification, one.identification);
  const isKept = (one: Binding): boolean =>
    isSameBinding(one, request) || !clearsOthers(request) || !isOlder(one);
  const kept = bindings.filter((one) => isKept(one));
  const others = kept.filter((one) => !isSameBinding(one, request));
  if (lifetimeSeconds === 0) return { bindings: others };
  const lifetime = { lifetimeSeconds, expiresAt: context.now + lifetimeSeconds * 1000 };
  const binding = createBinding(request, context, lifetime);
  const isBulk = multipathOf(request)?.bulk === true;
  const renewed = (one: Binding): Binding => (isBulk && isOlder(one) ? { ...one, ...lifetime } : one);
  const old = kept.find((one) => isSameBinding(one, request));
  // A renewed binding keeps its place, since the newest path forwards.
  if (old?.careOfAddress === binding.careOfAddress)
    return { bindings: kept.map((one) => (one === old ? binding : renewed(one))) };
  return { bindings: [...others.map((one) => renewed(one)), binding] };
}

function createBinding(
  request: RegistrationRequest,
  { local, remote, mobileNode }: RegistrationContext,
  lifetime: Pick<Binding, 'lifetimeSeconds' | 'expiresAt'>,
): Binding {
  const support = request.extensions.find((extension) => extension.kind === 'revocation-support');
  return {
    bindingId: multipathOf(request)?.bindingId,
    careOfAddress: request.careOfAddress,
    local,
    remote,
    encapsulation: mobileNode.encapsulation ?? 'rfc3519',
    identification: request.identification,
    ...lifetime,
    revocation: support === undefined ? 'unsupported' : support.informs ? 'informs' : 'supported',
  };
}

/** The list of a request is the whole policy: it replaces the one before. */
function withFlows(
  record: MobilityRecord,
  flows: readonly FlowRule[],
  { identification, lifetimeSeconds }: RegistrationRequest,
): MobilityRecord {
  const { flowsIdentification } = record;
  const isNewer = flowsIdentification === undefined || isLater(identification, flowsIdentification);
  if (flows.length === 0 || lifetimeSeconds === 0 || !isNewer) return record;
  return { ...record, flows, flowsIdentification: identification };
}

function flowsOf(request: RegistrationRequest, homeAddress: string): FlowRule[] {
  return flowBindingsOf(request).map(({ action, bindingIds, selector }) => ({
    selector: toTunnelSelector(selector, homeAddress) ?? {},
    bindingIds: action === 'drop' ? [] : bindingIds,
  }));
}

function multipathOf({ extensions }: RegistrationRequest): Multipath | undefined {
  return extensions.find((extension) => extension.kind === 'multipath');
}

function flowBindingsOf({ extensions }: RegistrationRequest): FlowBinding[] {
  return extensions.filter((extension) => extension.kind === 'flow-binding');
}
