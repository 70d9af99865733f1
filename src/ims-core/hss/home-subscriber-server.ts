/**
 * The HSS of the IMS core (TRIM Fig. 1) over Cx: answers UAR, LIR, MAR and SAR (cx-procedures.ts), and by itself ends registrations (RTR,
 * TS 29.228 §6.1.3) and hands out changed profiles (PPR, §6.2.1). What changes is in the journal before the answer goes out; requests
 * about one user are dealt with one after the other.
 *
 *   request ──▶ procedure ──no change──▶ answer
 *                   └──change──▶ journal ──written──▶ in force, answer ──▶ next request about that user
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { type JournalCompleted, type JournalEffect, JournalWriter } from '../../base/journal-writer.ts';
import type { Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { avp, avpValue, avpValues, optionalAvp } from '../../protocols/diameter/avp.ts';
import { cxResultOf } from '../../protocols/diameter/cx-result.ts';
import type { DiameterEvent, RequestId } from '../../protocols/diameter/diameter-event.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { DiameterEndpoint, type DiameterEndpointOptions } from '../../protocols/diameter/endpoint.ts';
import { cxResultCode, resultCode } from '../../protocols/diameter/result-code.ts';
import {
  assignServer,
  authenticateUser,
  authorizeUser,
  failed,
  locateUser,
  type Outcome,
  userDataOf,
} from './cx-procedures.ts';
import type { Subscriber } from './subscriber.ts';
import { formatLine, type SubscriberRecord, SubscriberRecords } from './subscriber-record.ts';
import { formatUserProfile } from './user-profile.ts';

export interface HomeSubscriberServerOptions {
  /** Who we are, where we listen, and which CSCFs may ask. */
  readonly diameter: Omit<DiameterEndpointOptions, 'applications'>;
  readonly subscribers: readonly Subscriber[];
  /** Realm of digest challenges: the home network's domain. */
  readonly digestRealm: string;
  /** Lines of the journal, oldest first; the last one may be torn. Absent: none is kept. */
  readonly journal?: readonly string[];
}

export type HomeSubscriberServerEvent =
  | {
      readonly kind: 'registration-changed';
      readonly privateIdentity: string;
      readonly registration: SubscriberRecord;
    }
  /** The S-CSCF was told (RTR, PPR); `isAccepted`: and agreed. */
  | {
      readonly kind: 'registration-terminated';
      readonly privateIdentity: string;
      readonly isAccepted: boolean;
    }
  | { readonly kind: 'profile-pushed'; readonly privateIdentity: string; readonly isAccepted: boolean }
  | { readonly kind: 'journal-failed'; readonly privateIdentity: string; readonly reason: string }
  /** A line that is not the last cannot be read: a registration may be missing. */
  | { readonly kind: 'journal-damaged'; readonly line: number };

/** Reason-Code of RTR (TS 29.229 §6.3.17). */
export const terminationReason = { permanentTermination: 0, serverChange: 2, removeServer: 3 } as const;

const noStateMaintained = 1;

type RequestReceived = Extract<DiameterEvent, { kind: 'request-received' }>;

/** Who waits for what the S-CSCF says to a request of ours. */
interface Notification {
  readonly kind: 'registration-terminated' | 'profile-pushed';
  readonly privateIdentity: string;
}

export class HomeSubscriberServer
  implements NetworkFunction<JournalCompleted, HomeSubscriberServerEvent, JournalEffect>
{
  readonly #endpoint: DiameterEndpoint;
  readonly #options: HomeSubscriberServerOptions;
  readonly #byPrivate = new Map<string, Subscriber>();
  readonly #byPublic = new Map<string, Subscriber>();
  readonly #records = new SubscriberRecords();
  readonly #journal: JournalWriter;
  /** What waits for the journal to have the change before it, by private identity. */
  readonly #waiting = new Map<string, Fifo<(now: Instant) => void>>();
  readonly #notifications = new Map<RequestId, Notification>();
  readonly #events = new Fifo<EventOutput<HomeSubscriberServerEvent>>();

  constructor(options: HomeSubscriberServerOptions) {
    this.#options = options;
    this.#endpoint = new DiameterEndpoint({ ...options.diameter, applications: [cxApplication] });
    this.#journal = new JournalWriter(options.journal !== undefined);
    for (const line of this.#records.replay(options.journal ?? []))
      this.#report({ kind: 'journal-damaged', line });
    this.#provision(options.subscribers);
    // Users that the configuration has lost since: no S-CSCF gets anything about them from here any more.
    for (const identity of this.#records.identities)
      if (!this.#byPrivate.has(identity)) this.#records.delete(identity);
  }

  /** How many users are known, and registered. */
  get counters(): { readonly subscribers: number; readonly registered: number } {
    return { subscribers: this.#byPrivate.size, registered: this.#records.count('registered') };
  }

  /** The journal as short as it can be, for the host to write in place of the one that grew. */
  journalSnapshot(): readonly string[] {
    return this.#records.snapshot();
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  stop(now: Instant): void {
    this.#endpoint.stop(now);
  }

  handleInput(input: NetworkInput | JournalCompleted, now: Instant): void {
    if (input.kind === 'effect-completed') this.#journal.complete(input, now);
    else this.#endpoint.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  pollOutput():
    | NetworkOutput
    | EventOutput<HomeSubscriberServerEvent>
    | EffectOutput<JournalEffect>
    | undefined {
    return this.#events.shift() ?? this.#journal.pollOutput() ?? this.#endpoint.pollOutput();
  }

  /** Ends the registration of a user and tells his S-CSCF (`terminationReason`). False when there is none. */
  terminate(privateIdentity: string, reason: number, now: Instant): boolean {
    const { state, serverHost } = this.#records.get(privateIdentity);
    if (state === 'not-registered') return false;
    this.#inTurn(privateIdentity, now, () => {
      const { sequenceNumber } = this.#records.get(privateIdentity);
      const record = {
        state: 'not-registered',
        ...(sequenceNumber !== undefined && { sequenceNumber }),
      } as const;
      this.#commit(privateIdentity, record, now, (_, then) => {
        if (serverHost !== undefined) this.#sendTermination(privateIdentity, serverHost, reason, then);
      });
    });
    return true;
  }

  /**
   * Takes over the users as the configuration now has them: who is gone is deregistered, and the S-CSCF of a user whose profile
   * changed gets the new one.
   */
  updateSubscribers(subscribers: readonly Subscriber[], now: Instant): void {
    const before = new Map(this.#byPrivate);
    this.#provision(subscribers);
    for (const [privateIdentity, old] of before) {
      const subscriber = this.#byPrivate.get(privateIdentity);
      const { state, serverHost } = this.#records.get(privateIdentity);
      if (subscriber === undefined)
        this.terminate(privateIdentity, terminationReason.permanentTermination, now);
      else if (state !== 'not-registered' && serverHost !== undefined) {
        if (formatUserProfile(subscriber) !== formatUserProfile(old))
          this.#sendProfile(subscriber, serverHost, now);
      }
    }
  }

  #provision(subscribers: readonly Subscriber[]): void {
    this.#byPrivate.clear();
    this.#byPublic.clear();
    for (const subscriber of subscribers) {
      this.#byPrivate.set(subscriber.privateIdentity, subscriber);
      for (const { identity } of subscriber.publicIdentities) this.#byPublic.set(identity, subscriber);
    }
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind === 'request-received') this.#serve(event, now);
      else if (event.kind === 'answer-received')
        this.#notified(event.request, cxResultOf(event.avps).isSuccess);
      else if (event.kind === 'request-failed') this.#notified(event.request, false);
    }
  }

  #serve(event: RequestReceived, now: Instant): void {
    const subject = this.#subjectOf(event);
    if (typeof subject === 'number') {
      this.#answer(event, failed(subject).answer);
      return;
    }
    const { privateIdentity } = subject;
    this.#inTurn(privateIdentity, now, () => {
      const { answer, record } = this.#outcomeOf(event, subject);
      if (record === undefined) this.#answer(event, answer);
      else
        this.#commit(privateIdentity, record, now, (error) =>
          this.#answer(
            event,
            error === undefined ? answer : [avp(baseAvps.resultCode, resultCode.unableToComply)],
          ),
        );
    });
  }

  #outcomeOf({ command, avps }: RequestReceived, subject: Subscriber): Outcome {
    const record = this.#records.get(subject.privateIdentity);
    switch (command) {
      case cxCommands.userAuthorization:
        return authorizeUser(subject, record, avps);
      case cxCommands.locationInfo:
        return locateUser(subject, record);
      case cxCommands.multimediaAuthentication: {
        const { digestRealm: realm, diameter } = this.#options;
        return authenticateUser(subject, record, avps, { realm, random: diameter.random });
      }
      case cxCommands.serverAssignment:
        return assignServer(subject, record, avps);
      default:
        return { answer: [avp(baseAvps.resultCode, resultCode.commandUnsupported)] };
    }
  }

  /** The user that the identities of a request name, all of them; otherwise an Experimental-Result-Code. */
  #subjectOf({ avps }: RequestReceived): Subscriber | number {
    const name = avpValue(avps, baseAvps.userName);
    const named = name === undefined ? undefined : this.#byPrivate.get(name);
    const byIdentity = avpValues(avps, cxAvps.publicIdentity).map((identity) => this.#byPublic.get(identity));
    const subject = named ?? byIdentity[0];
    const isUnknown =
      subject === undefined || (name !== undefined && named === undefined) || byIdentity.includes(undefined);
    if (isUnknown) return cxResultCode.userUnknown;
    return byIdentity.every((one) => one === subject) ? subject : cxResultCode.identitiesDontMatch;
  }

  #answer({ request }: RequestReceived, avps: Outcome['answer']): void {
    this.#endpoint.answer(request, [...avps, avp(baseAvps.authSessionState, noStateMaintained)]);
  }

  /** Does it now, or when the changes before it are in the journal. */
  #inTurn(privateIdentity: string, now: Instant, action: (now: Instant) => void): void {
    const queue = this.#waiting.get(privateIdentity);
    if (queue === undefined) action(now);
    else queue.push(action);
  }

  /** Writes the record down, puts it into force, and goes on with `then` (with the error when it could not be written). */
  #commit(
    privateIdentity: string,
    record: SubscriberRecord,
    now: Instant,
    then: (error: string | undefined, now: Instant) => void,
  ): void {
    const queue = new Fifo<(now: Instant) => void>();
    this.#waiting.set(privateIdentity, queue);
    this.#journal.write(
      () => formatLine(privateIdentity, record),
      now,
      (error, later) => {
        this.#waiting.delete(privateIdentity);
        if (error === undefined) this.#apply(privateIdentity, record);
        else this.#report({ kind: 'journal-failed', privateIdentity, reason: error });
        then(error, later);
        for (let next = queue.shift(); next !== undefined; next = queue.shift())
          this.#inTurn(privateIdentity, later, next);
      },
    );
  }

  #apply(privateIdentity: string, record: SubscriberRecord): void {
    const { state, serverHost } = this.#records.get(privateIdentity);
    this.#records.set(privateIdentity, record);
    if (record.state !== state || record.serverHost !== serverHost)
      this.#report({ kind: 'registration-changed', privateIdentity, registration: record });
  }

  /** RTR (TS 29.228 §6.1.3): without public identities, all that the user has registered. */
  #sendTermination(privateIdentity: string, serverHost: string, reason: number, now: Instant): void {
    const avps = [
      avp(baseAvps.authSessionState, noStateMaintained),
      avp(baseAvps.userName, privateIdentity),
      ...(this.#byPrivate.get(privateIdentity)?.publicIdentities ?? []).map(({ identity }) =>
        avp(cxAvps.publicIdentity, identity),
      ),
      avp(cxAvps.deregistrationReason, [avp(cxAvps.reasonCode, reason)]),
    ];
    const request = { command: cxCommands.registrationTermination, avps };
    this.#notify(
      'registration-terminated',
      privateIdentity,
      this.#endpoint.request(serverHost, request, now),
    );
  }

  /** PPR (TS 29.228 §6.2.1). */
  #sendProfile(subscriber: Subscriber, serverHost: string, now: Instant): void {
    const { privateIdentity } = subscriber;
    const avps = [
      avp(baseAvps.authSessionState, noStateMaintained),
      avp(baseAvps.userName, privateIdentity),
      ...optionalAvp(cxAvps.userData, userDataOf(subscriber)),
    ];
    const request = { command: cxCommands.pushProfile, avps };
    this.#notify('profile-pushed', privateIdentity, this.#endpoint.request(serverHost, request, now));
  }

  #notify(kind: Notification['kind'], privateIdentity: string, request: RequestId): void {
    this.#notifications.set(request, { kind, privateIdentity });
  }

  #notified(request: RequestId, isAccepted: boolean): void {
    const notification = this.#notifications.get(request);
    this.#notifications.delete(request);
    if (notification !== undefined) this.#report({ ...notification, isAccepted });
  }

  #report(event: HomeSubscriberServerEvent): void {
    this.#events.push({ kind: 'event', event });
  }
}
