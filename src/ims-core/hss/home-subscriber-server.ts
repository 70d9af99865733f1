/**
 * The HSS of the IMS core (TRIM Fig. 1) as far as CSCFs ask it: UAR, LIR, MAR and SAR over Cx (TS 29.228 §6, TS 29.229).
 * Tolerates what Kamailio sends: SAR type 2 without a registration before it, unknown AVPs, UAR without a type.
 * Leaves out: RTR, PPR, Sh, shared public identities, wildcards, restoration, emergency registration.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { EventOutput, NetworkFunction } from '../../base/network-function.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { nextSequenceNumber, sequenceNumberOfAuts } from '../../protocols/aka/authentication-vector.ts';
import { type Avp, avp, avpValue, avpValues, optionalAvp } from '../../protocols/diameter/avp.ts';
import type { DiameterEvent } from '../../protocols/diameter/diameter-event.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands, vendor3gpp } from '../../protocols/diameter/dictionary/cx.ts';
import { DiameterEndpoint, type DiameterEndpointOptions } from '../../protocols/diameter/endpoint.ts';
import { cxResultCode, resultCode } from '../../protocols/diameter/result-code.ts';
import { authenticationItems } from './authentication-item.ts';
import { MemoryRegistrationStore, type Registration, type RegistrationStore } from './registration-store.ts';
import type { Subscriber } from './subscriber.ts';
import { formatUserProfile } from './user-profile.ts';

export interface HomeSubscriberServerOptions {
  /** Who we are, where we listen, and which CSCFs may ask. */
  readonly diameter: Omit<DiameterEndpointOptions, 'applications'>;
  readonly subscribers: readonly Subscriber[];
  /** Realm of digest challenges: the home network's domain. */
  readonly digestRealm: string;
  readonly store?: RegistrationStore;
}

export type HomeSubscriberServerEvent = {
  readonly kind: 'registration-changed';
  readonly privateIdentity: string;
  readonly registration: Registration;
};

/** Server-Assignment-Type (TS 29.229 §6.3.15). */
const assignment = {
  none: 0,
  registration: 1,
  reRegistration: 2,
  unregisteredUser: 3,
  timeoutStoringServerName: 6,
  userStoringServerName: 7,
  authenticationFailure: 9,
  authenticationTimeout: 10,
  tooMuchData: 11,
} as const;

const deregistration = 1;
const withCapabilities = 2;
const noStateMaintained = 1;

type RequestReceived = Extract<DiameterEvent, { kind: 'request-received' }>;

export class HomeSubscriberServer implements NetworkFunction<never, HomeSubscriberServerEvent, never> {
  readonly #endpoint: DiameterEndpoint;
  readonly #byPrivate = new Map<string, Subscriber>();
  readonly #byPublic = new Map<string, Subscriber>();
  readonly #store: RegistrationStore;
  readonly #digestRealm: string;
  readonly #random: RandomSource;
  readonly #events = new Fifo<EventOutput<HomeSubscriberServerEvent>>();

  constructor(options: HomeSubscriberServerOptions) {
    this.#endpoint = new DiameterEndpoint({ ...options.diameter, applications: [cxApplication] });
    this.#store = options.store ?? new MemoryRegistrationStore();
    this.#digestRealm = options.digestRealm;
    this.#random = options.diameter.random;
    for (const subscriber of options.subscribers) {
      this.#byPrivate.set(subscriber.privateIdentity, subscriber);
      for (const { identity } of subscriber.publicIdentities) this.#byPublic.set(identity, subscriber);
    }
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  stop(now: Instant): void {
    this.#endpoint.stop(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
    this.#answerRequests();
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  pollOutput(): NetworkOutput | EventOutput<HomeSubscriberServerEvent> | undefined {
    return this.#events.shift() ?? this.#endpoint.pollOutput();
  }

  #answerRequests(): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind !== 'request-received') continue;
      const session = avp(baseAvps.authSessionState, noStateMaintained);
      this.#endpoint.answer(event.request, [...this.#answerTo(event), session]);
    }
  }

  #answerTo(event: RequestReceived): readonly Avp[] {
    const subject = this.#subjectOf(event.avps);
    if (typeof subject === 'number') return failed(subject);
    switch (event.command) {
      case cxCommands.userAuthorization:
        return this.#authorizeUser(subject, event.avps);
      case cxCommands.locationInfo:
        return this.#locate(subject);
      case cxCommands.multimediaAuthentication:
        return this.#authenticate(subject, event.avps);
      case cxCommands.serverAssignment:
        return this.#assignServer(subject, event);
      default:
        return [avp(baseAvps.resultCode, resultCode.commandUnsupported)];
    }
  }

  /** The user that the identities of a request name, all of them; otherwise an Experimental-Result-Code. */
  #subjectOf(avps: readonly Avp[]): Subscriber | number {
    const name = avpValue(avps, baseAvps.userName);
    const named = name === undefined ? undefined : this.#byPrivate.get(name);
    const byIdentity = avpValues(avps, cxAvps.publicIdentity).map((identity) => this.#byPublic.get(identity));
    const subject = named ?? byIdentity[0];
    const isUnknown =
      subject === undefined || (name !== undefined && named === undefined) || byIdentity.includes(undefined);
    if (isUnknown) return cxResultCode.userUnknown;
    return byIdentity.every((one) => one === subject) ? subject : cxResultCode.identitiesDontMatch;
  }

  /** UAR (TS 29.228 §6.1.1). */
  #authorizeUser(subscriber: Subscriber, avps: readonly Avp[]): readonly Avp[] {
    const type = avpValue(avps, cxAvps.userAuthorizationType);
    const { state, serverName } = this.#store.get(subscriber.privateIdentity);
    if (type === deregistration) {
      if (state === 'not-registered' || serverName === undefined)
        return failed(cxResultCode.identityNotRegistered);
      return [success, avp(cxAvps.serverName, serverName)];
    }
    if (subscriber.publicIdentities.every(({ isBarred }) => isBarred === true))
      return [avp(baseAvps.resultCode, resultCode.authorizationRejected)];
    if (!mayRoam(subscriber, avpValue(avps, cxAvps.visitedNetworkIdentifier)))
      return failed(cxResultCode.roamingNotAllowed);
    if (type === withCapabilities) return [success, ...capabilitiesOf(subscriber)];
    // Also between challenge and registration: the second REGISTER has to meet the S-CSCF that challenged.
    if (serverName !== undefined)
      return [experimentalResult(cxResultCode.subsequentRegistration), avp(cxAvps.serverName, serverName)];
    return [experimentalResult(cxResultCode.firstRegistration), ...capabilitiesOf(subscriber)];
  }

  /** LIR (TS 29.228 §6.1.4). */
  #locate(subscriber: Subscriber): readonly Avp[] {
    const { state, serverName } = this.#store.get(subscriber.privateIdentity);
    if (state !== 'not-registered' && serverName !== undefined)
      return [success, avp(cxAvps.serverName, serverName)];
    if (subscriber.hasUnregisteredServices !== true) return failed(cxResultCode.identityNotRegistered);
    return [experimentalResult(cxResultCode.unregisteredService), ...capabilitiesOf(subscriber)];
  }

  /** MAR (TS 29.228 §6.3.1). The S-CSCF that challenges takes the user over from another one. */
  #authenticate(subscriber: Subscriber, avps: readonly Avp[]): readonly Avp[] {
    const { privateIdentity } = subscriber;
    const wanted = avpValue(avps, cxAvps.sipAuthDataItem) ?? [];
    const known = this.#store.get(privateIdentity);
    const sequenceNumber = nextVectorNumber(subscriber, known, avpValue(wanted, cxAvps.sipAuthorization));
    const items = authenticationItems(
      subscriber,
      {
        scheme: avpValue(wanted, cxAvps.sipAuthenticationScheme) ?? 'Unknown',
        count: avpValue(avps, cxAvps.sipNumberAuthItems) ?? 1,
        realm: this.#digestRealm,
        sequenceNumber: sequenceNumber ?? 0,
      },
      this.#random,
    );
    if (items.length === 0) return failed(cxResultCode.authenticationSchemeNotSupported);
    const serverName = avpValue(avps, cxAvps.serverName) ?? known.serverName;
    this.#store.set(privateIdentity, {
      ...(serverName === known.serverName ? known : { state: known.state }),
      ...(serverName !== undefined && { serverName }),
      ...(sequenceNumber !== undefined && { sequenceNumber }),
    });
    // Kamailio needs both identities to find its request again (seen with 5.6.3).
    return [
      success,
      avp(baseAvps.userName, privateIdentity),
      ...avpValues(avps, cxAvps.publicIdentity).map((identity) => avp(cxAvps.publicIdentity, identity)),
      avp(cxAvps.sipNumberAuthItems, items.length),
      ...items,
    ];
  }

  /** SAR (TS 29.228 §6.1.2). */
  #assignServer(subscriber: Subscriber, event: RequestReceived): readonly Avp[] {
    const type = avpValue(event.avps, cxAvps.serverAssignmentType) ?? assignment.none;
    const serverName = avpValue(event.avps, cxAvps.serverName);
    const known = this.#store.get(subscriber.privateIdentity);
    const isOther = known.serverName !== undefined && known.serverName !== serverName;
    if (type < assignment.none || type > assignment.tooMuchData) return failed(cxResultCode.inAssignmentType);
    if (type === assignment.none) {
      if (isOther || known.serverName === undefined)
        return [avp(baseAvps.resultCode, resultCode.unableToComply)];
    } else {
      if (isOther) return failed(cxResultCode.identityAlreadyRegistered);
      this.#register(subscriber, registrationAfter(type, known, serverName, event.avps));
    }
    return [
      success,
      avp(baseAvps.userName, subscriber.privateIdentity),
      ...optionalAvp(
        cxAvps.userData,
        type <= assignment.unregisteredUser ? userDataOf(subscriber) : undefined,
      ),
    ];
  }

  #register({ privateIdentity }: Subscriber, registration: Registration): void {
    this.#store.set(privateIdentity, registration);
    this.#events.push({
      kind: 'event',
      event: { kind: 'registration-changed', privateIdentity, registration },
    });
  }
}

const success = avp(baseAvps.resultCode, resultCode.success);

function registrationAfter(
  type: number,
  known: Registration,
  serverName: string | undefined,
  avps: readonly Avp[],
): Registration {
  const serverHost = avpValue(avps, baseAvps.originHost);
  const server = { ...(serverName && { serverName }), ...(serverHost && { serverHost }) };
  const { sequenceNumber } = known;
  const vectors = sequenceNumber === undefined ? {} : { sequenceNumber };
  if (type === assignment.registration || type === assignment.reRegistration)
    return { state: 'registered', ...server, ...vectors };
  const keepsServer =
    type === assignment.unregisteredUser ||
    type === assignment.timeoutStoringServerName ||
    type === assignment.userStoringServerName;
  if (keepsServer) return { state: 'unregistered', ...server, ...vectors };
  const isFailedAttempt =
    type === assignment.authenticationFailure || type === assignment.authenticationTimeout;
  // A wrong password does not end a registration that exists (TS 29.228 §6.1.2.1).
  return isFailedAttempt && known.state !== 'not-registered'
    ? known
    : { state: 'not-registered', ...vectors };
}

/** SQN of the next AKA vector: behind the last one, or behind the USIM's own when it asks for that (RAND ‖ AUTS, TS 33.102 §6.3.5). */
function nextVectorNumber(
  { credentials }: Subscriber,
  { sequenceNumber = 0 }: Registration,
  resynchronisation: Uint8Array | undefined,
): number | undefined {
  if (!('k' in credentials)) return undefined;
  const heldByUsim =
    resynchronisation === undefined
      ? undefined
      : sequenceNumberOfAuts(credentials, resynchronisation.subarray(0, 16), resynchronisation.subarray(16));
  return nextSequenceNumber(heldByUsim ?? sequenceNumber);
}

/** Always sent, whatever User-Data-Already-Available says: Kamailio asks with 1 after it has restarted. */
function userDataOf(subscriber: Subscriber): Uint8Array {
  return new TextEncoder().encode(formatUserProfile(subscriber));
}

function mayRoam({ allowedNetworks }: Subscriber, visited: Uint8Array | undefined): boolean {
  if (allowedNetworks === undefined || visited === undefined) return true;
  // As it stands in P-Visited-Network-ID, which may be a quoted string.
  const name = String.fromCharCode(...visited).replace(/^"(.*)"$/, '$1');
  return allowedNetworks.includes(name);
}

/** Without Server-Capabilities the I-CSCF may take any S-CSCF (TS 29.228 §6.7). */
function capabilitiesOf({
  mandatoryCapabilities = [],
  optionalCapabilities = [],
}: Subscriber): readonly Avp[] {
  const capabilities = [
    ...mandatoryCapabilities.map((capability) => avp(cxAvps.mandatoryCapability, capability)),
    ...optionalCapabilities.map((capability) => avp(cxAvps.optionalCapability, capability)),
  ];
  return capabilities.length === 0 ? [] : [avp(cxAvps.serverCapabilities, capabilities)];
}

function failed(code: number): readonly Avp[] {
  return [experimentalResult(code)];
}

function experimentalResult(code: number): Avp {
  return avp(baseAvps.experimentalResult, [
    avp(baseAvps.vendorId, vendor3gpp),
    avp(baseAvps.experimentalResultCode, code),
  ]);
}
