/**
 * S-CSCF (TRIM Fig. 1, 4 and 6): the way of every request but REGISTER.
 *
 *   from a served user ──┐  filter criteria, one after the other    ┌── originating: on to the domain of the Request-URI
 *                        ├──> application server ──> back, marked ──┤
 *   to a served user ────┘                                          └── terminating: Path and contact
 *
 * Follows TS 24.229 §5.4.3, RFC 3261 §16, RFC 5502 (P-Served-User), RFC 7315 §4.2 (P-Called-Party-ID), RFC 5626 §7 (newest flow of an
 * instance first; other instances in parallel). Only initial requests are looked at, the rest follows its Route.
 * Left out: telephone numbers (ENUM), privacy service, charging.
 */
import type { Instant } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import { randomToken } from '../../base/random-source.ts';
import type { CxAnswer } from '../../protocols/diameter/cx-client.ts';
import { cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { cxResultCode } from '../../protocols/diameter/result-code.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { addressesOf, contactsOf, fromOf, toTagOf } from '../../protocols/sip/message/header-fields.ts';
import { withParameter } from '../../protocols/sip/message/parameters.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort, formatUri, parseSipUri } from '../../protocols/sip/message/sip-uri.ts';
import { sipUrisEqual } from '../../protocols/sip/message/sip-uri-equality.ts';
import type { ForwardTarget, ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import { contactRanks } from '../../protocols/sip/registration/contact-ranks.ts';
import type { ServerTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { serverAssignmentAvps, serverAssignmentType, userProfileOf } from './cx-requests.ts';
import { filteredRequest } from './filtered-request.ts';
import {
  type InitialFilterCriterion,
  nextMatchingCriterion,
  type SessionCase,
} from './initial-filter-criteria.ts';
import {
  formatOriginalDialogIdentifier,
  type OriginalDialogIdentifier,
  parseOriginalDialogIdentifier,
} from './original-dialog-identifier.ts';
import { canonicalIdentity, filterCriteriaOf, identitiesOf } from './registrar.ts';
import { isForRegistrar } from './registration-subscriptions.ts';
import type { ServingCscfContext } from './serving-cscf-options.ts';
import type { UserProfile } from './user-profile.ts';

/** One initial request on its way through the filter criteria of one user. */
interface Session {
  readonly transaction: ServerTransactionId;
  readonly request: SipRequest;
  readonly sessionCase: SessionCase;
  /** Canonical public identity. */
  readonly servedUser: string;
  readonly criteria: readonly InitialFilterCriterion[];
}

export interface SessionSubject {
  readonly kind: 'unregistered-user';
  readonly sessionCase: 'terminating-unregistered' | 'originating-unregistered';
  readonly transaction: ServerTransactionId;
  readonly request: SipRequest;
  readonly servedUser: string;
}

/** Where a request was sent, and what is to be done if that fails. */
type Attempt =
  | {
      readonly kind: 'application-server';
      readonly session: Session;
      readonly criterion: InitialFilterCriterion;
      hasProgressed: boolean;
    }
  /** Flows of the same instances that have not been tried. */
  | {
      readonly kind: 'contacts';
      readonly session: Session;
      readonly remaining: readonly (readonly ForwardTarget[])[];
    }
  | { readonly kind: 'onward'; readonly session: Session };

type Arrived = Extract<ProxyEvent, { kind: 'request' }>;
type Chosen = Extract<ProxyEvent, { kind: 'response-chosen' }>;

export class SessionService {
  readonly #context: ServingCscfContext;
  /** By the request that the proxy core holds: an entry goes with it. */
  readonly #attempts = new WeakMap<SipRequest, Attempt>();

  constructor(context: ServingCscfContext) {
    this.#context = context;
  }

  handleRequest(event: Arrived, now: Instant): void {
    const { transaction, request, ownRoute } = event;
    if (toTagOf(request) !== undefined) {
      if (this.#context.subscriptions.refresh(transaction, request, now)) return;
      this.#context.dialogs.passed(request, now);
      this.#context.proxy.forward(transaction, [{}], now);
      return;
    }
    const mark = ownRoute === undefined ? undefined : parseOriginalDialogIdentifier(ownRoute);
    if (mark !== undefined) this.#resume(transaction, request, mark, now);
    else if (ownRoute?.user === 'orig') this.#originate(transaction, request, now);
    else if (ownRoute?.parameters.has('orig') === true) this.#originateFor(transaction, request, now);
    else if (isForRegistrar(request)) this.#context.subscriptions.subscribe(transaction, request, now);
    else this.#terminate(transaction, request, now);
  }

  handleResponse({ transaction, request, response }: Chosen, now: Instant): void {
    const attempt = this.#attempts.get(request);
    const { statusCode } = response;
    if (attempt?.kind === 'application-server') {
      const hasFailed = statusCode === 408 || (statusCode >= 500 && statusCode < 600);
      if (statusCode > 100 && statusCode < 200) attempt.hasProgressed = true;
      if (hasFailed && !attempt.hasProgressed && this.#handleFailure(attempt, request, now)) return;
    } else if (attempt?.kind === 'contacts' && [408, 430, 504].includes(statusCode)) {
      const [next, ...remaining] = attempt.remaining;
      if (next !== undefined) {
        this.#attempts.set(request, { ...attempt, remaining });
        this.#context.proxy.forward(transaction, next, now);
        return;
      }
    }
    const respond = (later: Instant): void => this.#context.proxy.respond(transaction, response, later);
    if (attempt !== undefined && request.method === 'INVITE' && statusCode >= 200 && statusCode < 300)
      this.#noteDialog(attempt.session, { request, response }, now, respond);
    else respond(now);
  }

  /** The served user's own leg only: on the far side of an application server that is a user agent, nobody here is his contact. */
  #noteDialog(
    { servedUser, sessionCase }: Session,
    made: { readonly request: SipRequest; readonly response: SipResponse },
    now: Instant,
    then: (now: Instant) => void,
  ): void {
    const bindings = this.#context.registrar.find(servedUser)?.bindings ?? [];
    const isCaller = sessionCase.startsWith('originating');
    const contact = contactsOf(isCaller ? made.request : made.response)[0];
    const isHis = bindings.some(
      (binding) => contact !== undefined && sipUrisEqual(binding.contact.uri, contact.uri),
    );
    if (!isHis) then(now);
    else
      this.#context.dialogs.confirmed(
        { ...made, recordRoute: this.#recordRoute(sessionCase), isCaller },
        now,
        then,
      );
  }

  handleAnswer({ subject, result, avps }: CxAnswer<SessionSubject>, now: Instant): void {
    const { transaction, request, sessionCase, servedUser } = subject;
    const profile = userProfileOf(avps);
    if (result?.isSuccess !== true || profile === undefined || isMalformed(profile)) {
      const isUnknown = result?.experimental === cxResultCode.userUnknown;
      this.#refuse(transaction, request, result === undefined ? 504 : isUnknown ? 404 : 480, now);
      return;
    }
    this.#context.unregistered.store(profile, now);
    const criteria = filterCriteriaOf(profile, servedUser) ?? [];
    this.#evaluate({ transaction, request, sessionCase, servedUser, criteria }, -1, now);
  }

  /** Of a user who is not registered: the profile that is here already, or what the HSS answers to SAR (TS 29.228 §6.1.2). */
  #serveUnregistered(subject: Omit<SessionSubject, 'kind'>, now: Instant): void {
    const { cx, options, unregistered } = this.#context;
    const { servedUser } = subject;
    const profile = unregistered.find(servedUser, now);
    if (profile !== undefined) {
      this.#evaluate({ ...subject, criteria: filterCriteriaOf(profile, servedUser) ?? [] }, -1, now);
      return;
    }
    const identity = { publicIdentity: servedUser, serverName: options.name };
    const avps = serverAssignmentAvps(identity, serverAssignmentType.unregisteredUser, false);
    cx.ask(cxCommands.serverAssignment, avps, { kind: 'unregistered-user', ...subject }, now);
  }

  /**
   * An application server calls in the name of a user, registered or not (TS 24.229 §5.7.3). Only the core can send a Route with `orig` past the
   * P-CSCF.
   */
  #originateFor(transaction: ServerTransactionId, request: SipRequest, now: Instant): void {
    const servedUser = servedUserOf(request);
    if (this.#context.registrar.find(servedUser) !== undefined) this.#originate(transaction, request, now);
    else {
      const sessionCase = 'originating-unregistered';
      this.#serveUnregistered({ transaction, request, sessionCase, servedUser }, now);
    }
  }

  /** TS 24.229 §5.4.3.2: who sends it is what the P-CSCF has asserted. */
  #originate(transaction: ServerTransactionId, request: SipRequest, now: Instant): void {
    const servedUser = servedUserOf(request);
    const user = this.#context.registrar.find(servedUser);
    const criteria =
      user === undefined || isBarred(user.profile, servedUser)
        ? undefined
        : filterCriteriaOf(user.profile, servedUser);
    if (criteria === undefined) {
      this.#refuse(transaction, request, 403, now);
      return;
    }
    this.#evaluate({ transaction, request, sessionCase: 'originating', servedUser, criteria }, -1, now);
  }

  /** TS 24.229 §5.4.3.3. */
  #terminate(transaction: ServerTransactionId, request: SipRequest, now: Instant): void {
    const servedUser = canonicalIdentity(request.requestUri);
    const user = this.#context.registrar.find(servedUser);
    if (user === undefined) {
      const sessionCase = 'terminating-unregistered';
      this.#serveUnregistered({ transaction, request, sessionCase, servedUser }, now);
    } else if (isBarred(user.profile, servedUser)) {
      this.#refuse(transaction, request, 404, now);
    } else {
      const criteria = filterCriteriaOf(user.profile, servedUser) ?? [];
      this.#evaluate(
        { transaction, request, sessionCase: 'terminating-registered', servedUser, criteria },
        -1,
        now,
      );
    }
  }

  /** An application server gives back what was sent to it, or what it made of that. */
  #resume(
    transaction: ServerTransactionId,
    request: SipRequest,
    mark: OriginalDialogIdentifier,
    now: Instant,
  ): void {
    const { sessionCase, servedUser, priority } = mark;
    const isRetargeted =
      sessionCase.startsWith('terminating') && canonicalIdentity(request.requestUri) !== servedUser;
    const { registrar, unregistered } = this.#context;
    const profile = registrar.find(servedUser)?.profile ?? unregistered.find(servedUser, now);
    // A new target is no longer the served user's affair: it leaves as if he had called there.
    const criteria =
      profile === undefined || isRetargeted ? [] : (filterCriteriaOf(profile, servedUser) ?? []);
    const session = { transaction, request, servedUser, criteria };
    this.#evaluate({ ...session, sessionCase: isRetargeted ? 'originating' : sessionCase }, priority, now);
  }

  #evaluate(session: Session, afterPriority: number, now: Instant): void {
    const { request, sessionCase, criteria, transaction } = session;
    request.headers.removeAll('P-Served-User');
    const criterion = nextMatchingCriterion(criteria, filteredRequest(request, sessionCase), afterPriority);
    if (criterion !== undefined) this.#toApplicationServer(session, criterion, now);
    else if (sessionCase === 'terminating-registered') this.#toContacts(session, now);
    else if (sessionCase === 'terminating-unregistered') this.#refuse(transaction, request, 480, now);
    else {
      this.#attempts.set(request, { kind: 'onward', session });
      // A subscription to registrations comes back here, and needs this S-CSCF once only.
      const target = isForRegistrar(request) ? {} : { recordRoute: this.#recordRoute(sessionCase) };
      this.#context.proxy.forward(transaction, [target], now);
    }
  }

  #toApplicationServer(session: Session, criterion: InitialFilterCriterion, now: Instant): void {
    const { transaction, request, sessionCase, servedUser } = session;
    const { address, applicationServerTimeoutMs = 5_000 } = this.#context.options;
    const server = parseSipUri(criterion.applicationServer.serverName);
    const attempt = { kind: 'application-server', session, criterion, hasProgressed: false } as const;
    if (isMalformed(server)) {
      if (!this.#handleFailure(attempt, request, now)) this.#refuse(transaction, request, 500, now);
      return;
    }
    const mark = formatOriginalDialogIdentifier(
      { priority: criterion.priority, sessionCase, servedUser },
      address,
    );
    const route = `<${formatUri({ ...server, parameters: withParameter(server.parameters, 'lr', '') })}>`;
    request.headers.set('P-Served-User', servedUserValue(session));
    this.#attempts.set(request, attempt);
    const target: ForwardTarget = {
      routes: [`${route}, ${mark}`],
      recordRoute: this.#recordRoute(sessionCase),
      firstResponseMs: applicationServerTimeoutMs,
    };
    this.#context.proxy.forward(transaction, [target], now);
  }

  /** TS 24.229 §5.4.3.2, default handling. Returns false when the failure has to go back to the caller. */
  #handleFailure(
    { session, criterion }: Attempt & { kind: 'application-server' },
    request: SipRequest,
    now: Instant,
  ): boolean {
    const { serverName, defaultHandling } = criterion.applicationServer;
    const { servedUser } = session;
    this.#context.events.push({
      kind: 'application-server-failed',
      server: serverName,
      identity: servedUser,
      consequence: defaultHandling,
    });
    if (defaultHandling === 'terminate') return false;
    this.#evaluate({ ...session, request }, criterion.priority, now);
    return true;
  }

  #toContacts(session: Session, now: Instant): void {
    const { transaction, request, servedUser, sessionCase } = session;
    const bindings = this.#context.registrar.find(servedUser)?.bindings ?? [];
    const recordRoute = this.#recordRoute(sessionCase);
    const [first, ...remaining] = contactRanks(bindings).map((rank) =>
      rank.map(({ contact, path }) => ({
        requestUri: formatUri(contact.uri),
        routes: [path.join(', ')].filter(Boolean),
        recordRoute,
      })),
    );
    if (first === undefined) {
      this.#refuse(transaction, request, 480, now);
      return;
    }
    request.headers.set('P-Called-Party-ID', `<${servedUser}>`);
    this.#attempts.set(request, { kind: 'contacts', session, remaining });
    this.#context.proxy.forward(transaction, first, now);
  }

  #refuse(transaction: ServerTransactionId, request: SipRequest, statusCode: number, now: Instant): void {
    const toTag = randomToken(this.#context.options.random, 10);
    this.#context.proxy.respond(transaction, createResponse(request, statusCode, { toTag }), now);
  }

  #recordRoute(sessionCase: SessionCase): string {
    const { address, port } = this.#context.options.address;
    const direction = sessionCase.startsWith('originating') ? 'mo' : 'mt';
    return `<sip:${direction}@${formatHostPort(address, port)};lr>`;
  }
}

/** Canonical: P-Served-User where an application server has put it (RFC 5502 §6), else who is asserted to send it. */
function servedUserOf(request: SipRequest): string {
  const [served] = addressesOf(request, 'P-Served-User');
  const [asserted] = addressesOf(request, 'P-Asserted-Identity');
  return addressOfRecord((served ?? asserted ?? fromOf(request)).uri);
}

/** RFC 5502 §6. */
function servedUserValue({ sessionCase, servedUser }: Session): string {
  const direction = sessionCase.startsWith('originating') ? 'orig' : 'term';
  const state = sessionCase.endsWith('unregistered') ? 'unreg' : 'reg';
  return `<${servedUser}>;sescase=${direction};regstate=${state}`;
}

function isBarred(profile: UserProfile, identity: string): boolean {
  return identitiesOf(profile).some(
    (candidate) => candidate.isBarred && canonicalIdentity(candidate.identity) === identity,
  );
}
