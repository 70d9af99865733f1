/**
 * What a registrar keeps (RFC 3261 §10; in IMS the S-CSCF, TRIM Fig. 1): the bindings between a user and the contacts where he can be reached, and what a REGISTER makes of them.
 *
 * Follows RFC 3261 §10.3 (steps 6 to 8), RFC 3327 §5.3 (Path), RFC 5626 §6 (one binding per instance and flow). A request changes
 * all bindings it names or none. Left out: GRUU (RFC 5627), q-values.
 */
import type { Instant } from '../../../base/instant.ts';
import {
  addressesOf,
  callIdOf,
  contactsOf,
  cseqOf,
  expiresOf,
  listIncludes,
} from '../message/header-fields.ts';
import { formatNameAddress, type NameAddress } from '../message/name-address.ts';
import { withoutParameter, withParameter } from '../message/parameters.ts';
import type { SipRequest } from '../message/sip-message.ts';
import { sipUrisEqual } from '../message/sip-uri-equality.ts';

/** Contacts that one user may have: a few devices with a few flows each (RFC 5626 §4.2.1 speaks of four flows). */
const maximumContacts = 16;

export interface Binding {
  /** With all its parameters except `expires`. */
  readonly contact: NameAddress;
  /** Path values, the first to be visited on top. */
  readonly path: readonly string[];
  /** Value of +sip.instance as written. */
  readonly instance?: string;
  /** Names one of the instance's flows; absent when the contact was registered without outbound (RFC 5626). */
  readonly regId?: string;
  readonly callId: string;
  readonly cseq: number;
  readonly expiresAt: Instant;
  /** Since when the user is reached over this contact and path: the newest flow of an instance is tried first. */
  readonly since: Instant;
}

export interface RegistrationPolicy {
  readonly minimumExpiresSeconds: number;
  readonly maximumExpiresSeconds: number;
  readonly defaultExpiresSeconds: number;
  /** Without RFC 5626, as in many cores, a reg-id means nothing. */
  readonly supportsOutbound: boolean;
  /** What a new contact without reg-id does to the other contacts of its instance (TS 24.237 §10.2.0; real cores differ). */
  readonly contactWithoutRegId: 'add' | 'replace';
}

export const defaultRegistrationPolicy: RegistrationPolicy = {
  minimumExpiresSeconds: 30,
  maximumExpiresSeconds: 600_000, // TS 24.229 §5.1.1.2: what a UE asks for
  defaultExpiresSeconds: 3_600, // RFC 3261 §10.2
  supportsOutbound: true,
  contactWithoutRegId: 'add',
};

export type BindingUpdate =
  | {
      readonly kind: 'accepted';
      readonly bindings: readonly Binding[];
      /** Contacts that a new one of the same instance pushed out: their dialogs are to be ended. */
      readonly replaced: readonly Binding[];
      /** The answer must say Require: outbound (RFC 5626 §6). */
      readonly usesOutbound: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly statusCode: 400 | 403 | 423 | 439 | 500;
      readonly reasonPhrase?: string;
    };

interface Draft {
  readonly request: SipRequest;
  readonly policy: RegistrationPolicy;
  readonly now: Instant;
  readonly hasOutboundPath: boolean;
  readonly replaced: Binding[];
  bindings: readonly Binding[];
}

/** What the bindings are after the request. Expired ones must be gone from `current`. */
export function updateBindings(
  current: readonly Binding[],
  request: SipRequest,
  policy: RegistrationPolicy,
  now: Instant,
): BindingUpdate {
  if (request.headers.getAll('Contact').includes('*')) return removeAll(current, request);
  const contacts = contactsOf(request);
  // A contact that cannot be read would make a mere question of the request (RFC 4475 §3.1.2.13).
  if (contacts.length < request.headers.getAll('Contact').length)
    return { kind: 'refused', statusCode: 400, reasonPhrase: 'Bad Contact' };
  const hasOutboundPath = pathHasOutbound(request);
  const usesRegId = contacts.some(
    (contact) => contact.parameters.has('reg-id') && contact.parameters.has('+sip.instance'),
  );
  const supportsOutbound = policy.supportsOutbound && listIncludes(request, 'Supported', 'outbound');
  if (usesRegId && supportsOutbound && !hasOutboundPath) return { kind: 'refused', statusCode: 439 };
  const added = contacts.filter((contact) => requestedSeconds(contact, request, policy) > 0);
  if (usesRegId && hasOutboundPath && added.length > 1) return { kind: 'refused', statusCode: 400 };
  const draft: Draft = { request, policy, now, hasOutboundPath, replaced: [], bindings: current };
  for (const contact of contacts) {
    const refusal = applyContact(draft, contact);
    if (refusal !== undefined) return refusal;
  }
  if (draft.bindings.length > maximumContacts) {
    return { kind: 'refused', statusCode: 403, reasonPhrase: 'Too Many Contacts' };
  }
  return {
    kind: 'accepted',
    bindings: draft.bindings,
    replaced: draft.replaced,
    usesOutbound: usesRegId && supportsOutbound,
  };
}

/** The Contact header field values of the 200: every binding with what is left of its time. */
export function contactValues(bindings: readonly Binding[], now: Instant): string[] {
  return bindings.map(({ contact, expiresAt }) =>
    formatNameAddress({
      ...contact,
      parameters: withParameter(contact.parameters, 'expires', String(Math.ceil((expiresAt - now) / 1000))),
    }),
  );
}

/** Step 6 of RFC 3261 §10.3: "*" stands alone and takes Expires: 0. */
function removeAll(current: readonly Binding[], request: SipRequest): BindingUpdate {
  if (request.headers.getAll('Contact').length > 1 || expiresOf(request) !== 0) {
    return { kind: 'refused', statusCode: 400, reasonPhrase: 'Contact: * Needs Expires: 0' };
  }
  if (current.some((binding) => isOutOfOrder(binding, request))) return { kind: 'refused', statusCode: 500 };
  return { kind: 'accepted', bindings: [], replaced: [], usesOutbound: false };
}

/** Step 7 of RFC 3261 §10.3 for one address. */
function applyContact(draft: Draft, contact: NameAddress): BindingUpdate | undefined {
  const { request, policy, now } = draft;
  const requested = requestedSeconds(contact, request, policy);
  if (requested > 0 && requested < Math.min(policy.minimumExpiresSeconds, 3_600)) {
    return { kind: 'refused', statusCode: 423 };
  }
  const binding = createBinding(
    draft,
    contact,
    now + Math.min(requested, policy.maximumExpiresSeconds) * 1000,
  );
  const existing = draft.bindings.find((candidate) => isSameBinding(candidate, binding));
  if (existing !== undefined && isOutOfOrder(existing, request)) return { kind: 'refused', statusCode: 500 };
  const others = draft.bindings.filter((candidate) => candidate !== existing);
  if (requested === 0) {
    draft.bindings = others;
    return undefined;
  }
  const pushedOut =
    policy.contactWithoutRegId === 'replace' && binding.regId === undefined && binding.instance !== undefined
      ? others.filter(({ instance }) => instance === binding.instance)
      : [];
  draft.replaced.push(...pushedOut);
  const since = existing !== undefined && hasSameFlow(existing, binding) ? existing.since : now;
  draft.bindings = [...others.filter((other) => !pushedOut.includes(other)), { ...binding, since }];
  return undefined;
}

function createBinding(draft: Draft, contact: NameAddress, expiresAt: Instant): Binding {
  const { request, hasOutboundPath, policy, now } = draft;
  const knowsFlows = policy.supportsOutbound && hasOutboundPath;
  const instance = contact.parameters.get('+sip.instance');
  const regId = instance === undefined || !knowsFlows ? undefined : contact.parameters.get('reg-id');
  return {
    contact: { ...contact, parameters: withoutParameter(contact.parameters, 'expires') },
    path: request.headers.getAll('Path'),
    ...(instance === undefined ? {} : { instance }),
    ...(regId === undefined ? {} : { regId }),
    callId: callIdOf(request),
    cseq: cseqOf(request).number,
    expiresAt,
    since: now,
  };
}

/** RFC 5626 §6: instance and flow decide where both sides have them, RFC 3261 §19.1.4 everywhere else. */
function isSameBinding(a: Binding, b: Binding): boolean {
  if (a.regId !== undefined && b.regId !== undefined) return a.instance === b.instance && a.regId === b.regId;
  return sipUrisEqual(a.contact.uri, b.contact.uri);
}

function hasSameFlow(a: Binding, b: Binding): boolean {
  return sipUrisEqual(a.contact.uri, b.contact.uri) && a.path.join() === b.path.join();
}

function isOutOfOrder(binding: Binding, request: SipRequest): boolean {
  return binding.callId === callIdOf(request) && cseqOf(request).number <= binding.cseq;
}

/** RFC 3261 §10.3 step 7; a malformed value counts as the default (§20.10). */
function requestedSeconds(contact: NameAddress, request: SipRequest, policy: RegistrationPolicy): number {
  const parameter = contact.parameters.get('expires');
  if (parameter === undefined) return expiresOf(request) ?? policy.defaultExpiresSeconds;
  return /^[0-9]{1,10}$/.test(parameter) ? Number(parameter) : policy.defaultExpiresSeconds;
}

/** RFC 5626 §6: the proxy next to the user agent, whose value is the last, must have said "ob". */
function pathHasOutbound(request: SipRequest): boolean {
  const uri = addressesOf(request, 'Path').at(-1)?.uri;
  return uri?.kind === 'sip' && uri.parameters.has('ob');
}
