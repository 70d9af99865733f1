/**
 * S-CSCF (TRIM Fig. 1, 4 and 6): REGISTER from challenge to 200.
 *
 *   REGISTER ─┬─ no good credentials ── MAR/MAA ── 401
 *             └─ good credentials ── SAR/SAA (profile) ── bindings ── 200, REGISTER to the application servers
 *
 * Follows RFC 3261 §10.3, RFC 3327, RFC 3608, RFC 5626 §6, TS 24.229 §5.4.1, TS 29.228 §6.1 and §6.3. Every path ends in an answer: the
 * HSS that stays silent makes a 504. Left out: gruu.
 */
import type { Instant } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import { randomToken } from '../../base/random-source.ts';
import type { CxAnswer } from '../../protocols/diameter/cx-client.ts';
import { cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { cxResultCode } from '../../protocols/diameter/result-code.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { toOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort, formatUri } from '../../protocols/sip/message/sip-uri.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import {
  type Binding,
  type BindingUpdate,
  contactValues,
  defaultRegistrationPolicy,
  type RegistrationPolicy,
  updateBindings,
} from '../../protocols/sip/registration/binding.ts';
import { privateIdentityOf } from '../../protocols/sip/registration/private-identity.ts';
import type { ServerTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import {
  authenticationItemOf,
  type CxIdentity,
  multimediaAuthAvps,
  serverAssignmentAvps,
  serverAssignmentType,
  userProfileOf,
} from './cx-requests.ts';
import type { RegistrationType } from './initial-filter-criteria.ts';
import { associatedIdentities, filterCriteriaOf, type ServedUser } from './registrar.ts';
import type { ContactEnd } from './registration-subscriptions.ts';
import type { ServingCscfContext } from './serving-cscf-options.ts';
import { formatUserLine } from './serving-journal.ts';
import { ThirdPartyRegistrations } from './third-party-registrations.ts';
import { type Judgement, UserAuthenticator } from './user-authenticator.ts';
import type { UserProfile } from './user-profile.ts';

interface Registration {
  readonly transaction: ServerTransactionId;
  readonly request: SipRequest;
  readonly privateIdentity: string;
  /** Canonical. */
  readonly publicIdentity: string;
}

export type RegistrationSubject =
  | ({ readonly kind: 'multimedia-authentication'; readonly challenge: Unjudged } & Registration)
  | ({ readonly kind: 'server-assignment' } & Registration)
  /** The HSS is told that a user is gone; nobody waits for its answer. */
  | { readonly kind: 'farewell' };

interface CommittedChange {
  readonly user: ServedUser;
  readonly before: ServedUser | undefined;
  readonly request: SipRequest;
  readonly response: SipResponse;
  readonly publicIdentity: string;
  /** Contacts that a new one pushed out. */
  readonly replaced: readonly Binding[];
}

type Unjudged = Extract<Judgement, { kind: 'unknown' }>;

const supportedExtensions = ['path', 'outbound'];

export class RegistrationService {
  readonly #context: ServingCscfContext;
  readonly #policy: RegistrationPolicy;
  readonly #authenticator: UserAuthenticator;
  readonly thirdParties: ThirdPartyRegistrations;

  constructor(context: ServingCscfContext) {
    const { realm, random, registration, digestAlgorithms = ['MD5'] } = context.options;
    this.#context = context;
    this.#policy = { ...defaultRegistrationPolicy, ...registration };
    this.#authenticator = new UserAuthenticator(realm, digestAlgorithms, random);
    this.thirdParties = new ThirdPartyRegistrations(context);
  }

  handleRegister(transaction: ServerTransactionId, request: SipRequest, now: Instant): void {
    const publicIdentity = addressOfRecord(toOf(request).uri);
    const privateIdentity = privateIdentityOf(request);
    const registration = { transaction, request, privateIdentity, publicIdentity };
    const unknown = request.headers
      .getAll('Require')
      .filter((tag) => !supportedExtensions.includes(tag.toLowerCase()));
    // RFC 3261 §10.3 step 5, RFC 4475 §3.3.4: an address-of-record of another scheme belongs to no domain.
    if (toOf(request).uri.kind === 'opaque') {
      this.#context.proxy.respond(transaction, this.#response(registration, 400), now);
      return;
    }
    if (unknown.length > 0) {
      const response = this.#response(registration, 420);
      response.headers.append('Unsupported', unknown.join(', '));
      this.#context.proxy.respond(transaction, response, now);
      return;
    }
    this.#authenticate(registration, now);
  }

  handleAnswer(answer: CxAnswer<RegistrationSubject>, now: Instant): void {
    const { subject } = answer;
    if (subject.kind === 'multimedia-authentication') this.#challenge(subject, answer, now);
    else if (subject.kind === 'server-assignment') this.#finish(subject, answer, now);
  }

  /** RFC 3261 §10.3: bindings end by themselves when nobody refreshes them. */
  expire(now: Instant): void {
    for (const { privateIdentity, serviceProfiles } of this.#context.unregistered.takeExpired(now)) {
      const publicIdentity = serviceProfiles[0]?.publicIdentities[0]?.identity ?? '';
      this.#tellHss({ privateIdentity, publicIdentity }, serverAssignmentType.timeoutDeregistration, now);
    }
    for (const { before, after } of this.#context.registrar.expire(now)) {
      this.#context.subscriptions.changed(before, after, 'expired', now);
      if (after.bindings.length > 0) continue;
      this.#write(after, now);
      this.#sayFarewell(before, serverAssignmentType.timeoutDeregistration, 'expiry', now);
    }
  }

  /** The network ends a registration: the HSS wants it, or an application server that must not be missed does not answer. */
  deregister(
    user: ServedUser,
    cause: 'home-subscriber-server' | 'application-server',
    end: ContactEnd,
    now: Instant,
  ): void {
    const gone = { ...user, bindings: [] };
    this.#context.registrar.store(gone);
    this.#write(gone, now);
    this.#context.dialogs.end(contactUrisOf(user.bindings), now);
    this.#context.subscriptions.changed(user, gone, end, now);
    this.#sayFarewell(user, serverAssignmentType.administrativeDeregistration, cause, now);
  }

  /** The HSS has another one. */
  replaceProfile(user: ServedUser, profile: UserProfile, now: Instant): void {
    const changed = { ...user, profile };
    this.#context.registrar.store(changed);
    this.#write(changed, now);
  }

  #sayFarewell(
    user: ServedUser,
    type: number,
    cause: 'expiry' | 'home-subscriber-server' | 'application-server',
    now: Instant,
  ): void {
    const { events } = this.#context;
    const identity = associatedIdentities(user.profile)[0] ?? user.privateIdentity;
    events.push({ kind: 'user-deregistered', identity, cause });
    if (cause !== 'home-subscriber-server') {
      const { privateIdentity } = user;
      this.#tellHss({ privateIdentity, publicIdentity: identity }, type, now);
    }
    this.thirdParties.announce({ user, registrationType: 'de-registration', publicIdentity: identity }, now);
  }

  /** SAR that nobody waits for. */
  #tellHss(
    identity: Pick<Registration, 'privateIdentity' | 'publicIdentity'>,
    type: number,
    now: Instant,
  ): void {
    const { cx, options } = this.#context;
    const { privateIdentity, publicIdentity } = identity;
    const names = { privateIdentity, publicIdentity, serverName: options.name };
    const avps = serverAssignmentAvps(names, type, true);
    cx.ask(cxCommands.serverAssignment, avps, { kind: 'farewell' }, now);
  }

  #authenticate(registration: Registration, now: Instant): void {
    const judgement = this.#authenticator.judge(registration.request, registration, now);
    if (judgement.kind === 'accepted') this.#assign(registration, now);
    else if (judgement.kind === 'refused') {
      const { publicIdentity: identity } = registration;
      this.#context.events.push({ kind: 'authentication-failed', identity });
      // The user is not this S-CSCF's any more: the next attempt may go to another (TS 29.228 §6.1.2.1).
      if (this.#context.registrar.find(identity) === undefined)
        this.#tellHss(registration, serverAssignmentType.authenticationFailure, now);
      this.#refuse(registration, 403, now);
    } else this.#askForSecret(registration, judgement, now);
  }

  #askForSecret(registration: Registration, challenge: Unjudged, now: Instant): void {
    const { options, cx } = this.#context;
    const { authenticationScheme = 'Unknown', digestAlgorithms = ['MD5'] } = options;
    const { resynchronisation } = challenge;
    const avps = multimediaAuthAvps(
      this.#cxIdentity(registration),
      resynchronisation === undefined ? authenticationScheme : 'Digest-AKAv1-MD5',
      digestAlgorithms.length,
      resynchronisation,
    );
    const subject = { kind: 'multimedia-authentication', challenge, ...registration } as const;
    cx.ask(cxCommands.multimediaAuthentication, avps, subject, now);
  }

  #challenge(
    subject: Extract<RegistrationSubject, { kind: 'multimedia-authentication' }>,
    { result, avps }: CxAnswer<RegistrationSubject>,
    now: Instant,
  ): void {
    if (result?.isSuccess !== true) {
      this.#refuseForCx(subject, result, now);
      return;
    }
    const item = authenticationItemOf(avps, subject.privateIdentity, this.#context.options.realm);
    const { stale } = subject.challenge;
    const challenges = item === undefined ? [] : this.#authenticator.challenge(subject, item, stale, now);
    if (challenges.length === 0) {
      this.#refuse(subject, 500, now);
      return;
    }
    const response = this.#response(subject, 401);
    for (const challenge of challenges) response.headers.append('WWW-Authenticate', challenge);
    this.#context.proxy.respond(subject.transaction, response, now);
  }

  /** The HSS learns of the first registration, of each refresh and of the end; not that one of several contacts went (K). */
  #assign(registration: Registration, now: Instant): void {
    const { registrar } = this.#context;
    const before = registrar.find(registration.publicIdentity);
    const update = this.#update(registration, now);
    if (update.kind === 'refused') {
      this.#refuseUpdate(registration, update, now);
      return;
    }
    const isFetch = !registration.request.headers.has('Contact');
    const isPartialRemoval =
      update.bindings.length > 0 && update.bindings.every((binding) => before?.bindings.includes(binding));
    if (isFetch || isPartialRemoval) {
      this.#commit(registration, before?.profile, now);
      return;
    }
    if (before === undefined && registrar.isFull) {
      this.#refuse(registration, 503, now);
      return;
    }
    const avps = serverAssignmentAvps(
      this.#cxIdentity(registration),
      assignmentTypeOf(before, update.bindings),
      before !== undefined,
    );
    this.#context.cx.ask(
      cxCommands.serverAssignment,
      avps,
      { kind: 'server-assignment', ...registration },
      now,
    );
  }

  #finish(
    subject: Extract<RegistrationSubject, { kind: 'server-assignment' }>,
    { result, avps }: CxAnswer<RegistrationSubject>,
    now: Instant,
  ): void {
    const before = this.#context.registrar.find(subject.publicIdentity);
    const update = this.#update(subject, now);
    // A user who wants to go may go, whatever the HSS thinks of it.
    const isRemoval = update.kind === 'accepted' && update.bindings.length === 0;
    if (isRemoval) {
      this.#commit(subject, before?.profile, now);
      return;
    }
    if (result?.isSuccess !== true) {
      this.#refuseForCx(subject, result, now);
      return;
    }
    const profile = userProfileOf(avps) ?? before?.profile;
    const fault = faultOf(profile, subject.publicIdentity);
    if (fault === undefined) {
      this.#commit(subject, profile as UserProfile, now);
      return;
    }
    this.#context.events.push({
      kind: 'user-profile-refused',
      identity: subject.publicIdentity,
      reason: fault,
    });
    if (before === undefined) {
      // The HSS must not believe that the user is registered here.
      this.#tellHss(subject, serverAssignmentType.administrativeDeregistration, now);
    }
    this.#refuse(subject, 500, now);
  }

  /** Computed again when the HSS has answered, since another REGISTER of the user may have been served in between. */
  #update(registration: Registration, now: Instant): BindingUpdate {
    const current = this.#context.registrar.find(registration.publicIdentity)?.bindings ?? [];
    const alive = current.filter(({ expiresAt }) => expiresAt > now);
    return updateBindings(alive, registration.request, this.#policy, now);
  }

  /** `profile` is absent only when nothing is to be stored. */
  #commit(registration: Registration, profile: UserProfile | undefined, now: Instant): void {
    const { proxy, registrar, events } = this.#context;
    const { request, privateIdentity, publicIdentity, transaction } = registration;
    const before = registrar.find(publicIdentity);
    const update = this.#update(registration, now);
    if (update.kind === 'refused') {
      this.#refuseUpdate(registration, update, now);
      return;
    }
    const { bindings, replaced, usesOutbound } = update;
    if (profile === undefined || !request.headers.has('Contact')) {
      const user = before === undefined ? undefined : { ...before, bindings };
      proxy.respond(transaction, this.#success(registration, user, usesOutbound, now), now);
      return;
    }
    const user =
      before === undefined ? { privateIdentity, profile, bindings } : { ...before, profile, bindings };
    registrar.store(user);
    this.#context.unregistered.forget(privateIdentity);
    this.#write(user, now, (error, later) => {
      if (error === undefined) {
        const response = this.#success(registration, user, usesOutbound, later);
        proxy.respond(transaction, response, later);
        this.#announce({ user, before, request, response, publicIdentity, replaced }, later);
        return;
      }
      if (registrar.findPrivate(user.privateIdentity) === user || bindings.length === 0)
        registrar.store(before ?? { ...user, bindings: [] });
      events.push({ kind: 'journal-failed', identity: publicIdentity, reason: error });
      this.#refuse(registration, 500, later);
    });
  }

  #write(user: ServedUser, now: Instant, then?: (error: string | undefined, now: Instant) => void): void {
    const { journal, options } = this.#context;
    journal.write(() => formatUserLine(user, options.journal?.timeOfDayOffsetMs ?? 0), now, then);
  }

  /** Tells everybody whom the change concerns. */
  #announce(change: CommittedChange, now: Instant): void {
    const { user, before, replaced, publicIdentity, request, response } = change;
    this.#context.dialogs.end(contactUrisOf(replaced), now);
    this.#context.subscriptions.changed(before, user, 'unregistered', now);
    const contacts = contactUrisOf(user.bindings);
    this.#context.events.push(
      contacts.length > 0
        ? { kind: 'user-registered', identity: publicIdentity, contacts }
        : { kind: 'user-deregistered', identity: publicIdentity, cause: 'request' },
    );
    const registrationType = registrationTypeOf(before, user.bindings);
    this.thirdParties.announce({ user, registrationType, publicIdentity, request, response }, now);
  }

  #success(
    registration: Registration,
    user: ServedUser | undefined,
    usesOutbound: boolean,
    now: Instant,
  ): SipResponse {
    const { address } = this.#context.options;
    const response = this.#response(registration, 200);
    const { headers } = response;
    for (const value of registration.request.headers.getAll('Path')) headers.append('Path', value);
    if (user === undefined || user.bindings.length === 0) return response;
    // One line: of several, Kamailio's P-CSCF reads the first only.
    headers.append('Contact', contactValues(user.bindings, now).join(', '));
    if (usesOutbound) headers.append('Require', 'outbound');
    headers.append('Service-Route', `<sip:orig@${formatHostPort(address.address, address.port)};lr>`);
    const identities = associatedIdentities(user.profile).map((identity) => `<${identity}>`);
    if (identities.length > 0) headers.append('P-Associated-URI', identities.join(', '));
    return response;
  }

  #refuseUpdate(
    registration: Registration,
    { statusCode, reasonPhrase }: Extract<BindingUpdate, { kind: 'refused' }>,
    now: Instant,
  ): void {
    const response = this.#response(registration, statusCode, reasonPhrase);
    if (statusCode === 423)
      response.headers.append('Min-Expires', String(this.#policy.minimumExpiresSeconds));
    this.#context.proxy.respond(registration.transaction, response, now);
  }

  /** TS 29.229: the user is at fault where the HSS says so, the network otherwise. */
  #refuseForCx(registration: Registration, result: CxAnswer<unknown>['result'], now: Instant): void {
    if (result === undefined) {
      this.#context.events.push({
        kind: 'home-subscriber-server-silent',
        identity: registration.publicIdentity,
      });
    }
    const refused: readonly (number | undefined)[] = [
      cxResultCode.userUnknown,
      cxResultCode.identitiesDontMatch,
      cxResultCode.roamingNotAllowed,
      cxResultCode.identityAlreadyRegistered,
      cxResultCode.authenticationSchemeNotSupported,
    ];
    const statusCode = result === undefined ? 504 : refused.includes(result.experimental) ? 403 : 500;
    this.#refuse(registration, statusCode, now);
  }

  #refuse(registration: Registration, statusCode: number, now: Instant): void {
    this.#context.proxy.respond(registration.transaction, this.#response(registration, statusCode), now);
  }

  #response({ request }: Registration, statusCode: number, reasonPhrase?: string): SipResponse {
    const toTag = randomToken(this.#context.options.random, 10);
    return createResponse(request, statusCode, {
      toTag,
      ...(reasonPhrase === undefined ? {} : { reasonPhrase }),
    });
  }

  #cxIdentity({ privateIdentity, publicIdentity }: Registration): CxIdentity {
    return { privateIdentity, publicIdentity, serverName: this.#context.options.name };
  }
}

function contactUrisOf(bindings: readonly Binding[]): string[] {
  return bindings.map(({ contact }) => formatUri(contact.uri));
}

function assignmentTypeOf(before: ServedUser | undefined, bindings: readonly Binding[]): number {
  if (bindings.length === 0) return serverAssignmentType.userDeregistration;
  return before === undefined ? serverAssignmentType.registration : serverAssignmentType.reRegistration;
}

function registrationTypeOf(before: ServedUser | undefined, bindings: readonly Binding[]): RegistrationType {
  if (bindings.length === 0) return 'de-registration';
  return before === undefined ? 'initial-registration' : 're-registration';
}

/** What keeps a profile from being used; `undefined` when nothing does. */
function faultOf(profile: ReturnType<typeof userProfileOf>, publicIdentity: string): string | undefined {
  if (profile === undefined) return 'no User-Data in the answer';
  if (isMalformed(profile)) return profile.toString();
  const isKnown = filterCriteriaOf(profile, publicIdentity) !== undefined;
  return isKnown ? undefined : `the profile does not name ${publicIdentity}`;
}
