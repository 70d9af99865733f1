/**
 * The CSCF's side of Cx (TS 29.229): asks the HSS something on behalf of a subject and gives the subject back with the answer, or with
 * the news that there is none. What I-CSCF and S-CSCF have in common; what they ask and make of it is theirs.
 */
import type { Instant } from '../../base/instant.ts';
import type { Machine, Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { type Avp, type Avps, avp } from './avp.ts';
import { type CxResult, cxResultOf } from './cx-result.ts';
import type { DiameterEvent, RequestId } from './diameter-event.ts';
import { baseAvps } from './dictionary/base.ts';
import { cxApplication } from './dictionary/cx.ts';
import type { CommandDefinition } from './dictionary/dictionary.ts';
import { DiameterEndpoint, type DiameterEndpointOptions } from './endpoint.ts';

/** The peers are the home subscriber servers, the preferred one first. */
export type CxClientOptions = Omit<DiameterEndpointOptions, 'applications' | 'random'>;

export interface CxAnswer<Subject> {
  readonly subject: Subject;
  /** Absent when no answer came. */
  readonly result: CxResult | undefined;
  readonly avps: Avps;
}

type ReceivedRequest = Extract<DiameterEvent, { kind: 'request-received' }>;

export class CxClient<Subject> implements Machine<NetworkInput, NetworkOutput> {
  readonly #endpoint: DiameterEndpoint;
  readonly #servers: readonly string[];
  readonly #subjects = new TurnoverMap<RequestId, Subject>();
  readonly #answers: CxAnswer<Subject>[] = [];
  readonly #requests: ReceivedRequest[] = [];

  constructor(options: CxClientOptions, random: RandomSource) {
    this.#endpoint = new DiameterEndpoint({ ...options, applications: [cxApplication], random });
    this.#servers = options.peers.map(({ host }) => host);
  }

  /** Whether one of the servers can be asked. */
  get isConnected(): boolean {
    return this.#servers.some((server) => this.#endpoint.isAvailable(server));
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  stop(now: Instant): void {
    this.#endpoint.stop(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
    this.#sortEvents();
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    this.#sortEvents();
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#endpoint.pollOutput();
  }

  /** Cx keeps no sessions: each request has its own Session-Id (TS 29.229 §5.2: NO_STATE_MAINTAINED). */
  ask(command: CommandDefinition, avps: readonly Avp[], subject: Subject, now: Instant): void {
    const request = { command, avps: [avp(baseAvps.authSessionState, 1), ...avps] };
    this.#subjects.set(this.#endpoint.request(this.#servers, request, now), subject);
    this.#sortEvents();
  }

  pollAnswer(): CxAnswer<Subject> | undefined {
    return this.#answers.shift();
  }

  /** What the HSS asks by itself: RTR and PPR. */
  pollRequest(): ReceivedRequest | undefined {
    return this.#requests.shift();
  }

  /** `result`: Result-Code or Experimental-Result. */
  answer(request: ReceivedRequest, result: Avp): void {
    this.#endpoint.answer(request.request, [result, avp(baseAvps.authSessionState, 1)]);
  }

  #sortEvents(): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind === 'answer-received') this.#ended(event.request, event.avps);
      else if (event.kind === 'request-failed') this.#ended(event.request, undefined);
      else if (event.kind === 'request-received') this.#requests.push(event);
    }
  }

  #ended(id: RequestId, avps: Avps | undefined): void {
    const subject = this.#subjects.get(id);
    if (subject === undefined) return;
    this.#subjects.delete(id);
    this.#answers.push({
      subject,
      result: avps === undefined ? undefined : cxResultOf(avps),
      avps: avps ?? [],
    });
  }
}
