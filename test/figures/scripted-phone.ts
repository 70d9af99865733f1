/**
 * A phone whose every session description a test decides: registers, calls, answers, changes the session by re-INVITE, and keeps what it was
 * told. For what the ordinary terminal (src/correspondent-node) never does.
 */
import type { Instant } from '../../src/base/instant.ts';
import type { Timeout } from '../../src/base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../src/base/network.ts';
import { formatTransportAddress } from '../../src/base/network.ts';
import type { NetworkFunction } from '../../src/base/network-function.ts';
import type { RandomSource } from '../../src/base/random-source.ts';
import {
  BackToBackUserAgent,
  type LegView,
} from '../../src/protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  HeaderChange,
  LegName,
  LocalRequest,
} from '../../src/protocols/sip/back-to-back-user-agent/call-event.ts';
import { SipEndpoint } from '../../src/protocols/sip/endpoint.ts';
import {
  RegistrationClient,
  type RegistrationIdentity,
} from '../../src/protocols/sip/registration/registration-client.ts';
import type { SipTarget } from '../../src/protocols/sip/transaction/sip-event.ts';

export interface ScriptedPhoneOptions {
  readonly sip: TransportAddress;
  readonly proxy: TransportAddress;
  readonly identity: RegistrationIdentity;
  readonly random: RandomSource;
  /** The one that it knows; by default UDP and TCP. */
  readonly onlyTransport?: 'tcp' | undefined;
}

export interface PhoneCall {
  readonly call: number;
  readonly leg: LegName;
}

/** What telephones do, transfer and messages included; PUBLISH is known and not wanted. */
const capabilities = {
  methods: 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, MESSAGE, REFER, SUBSCRIBE, NOTIFY'.split(
    ', ',
  ),
  extensions: ['100rel', 'precondition', 'timer', 'replaces'],
  contentTypes: ['application/sdp'],
};

export class ScriptedPhone implements NetworkFunction<never, never, never> {
  readonly #options: ScriptedPhoneOptions;
  readonly #agent: BackToBackUserAgent;
  readonly #registration: RegistrationClient;
  readonly #outputs: NetworkOutput[] = [];
  #routes: readonly string[] = [];
  /** The first and those that came later; requests without another wish are within the last. */
  readonly calls: PhoneCall[] = [];
  /** What it answers to the next offers. */
  answer = '';
  /** Session descriptions of the other side, as they came. */
  readonly heard: string[] = [];
  /** Final answers to what it sent. */
  readonly statusCodes: number[] = [];
  isEnded = false;

  constructor(options: ScriptedPhoneOptions) {
    const { sip, identity, random, onlyTransport } = options;
    this.#options = options;
    const transports = onlyTransport === undefined ? (['udp', 'tcp'] as const) : [onlyTransport];
    const listen = transports.map((transport) => ({ transport, ...sip }));
    const endpoint = new SipEndpoint({ listen, random });
    this.#agent = new BackToBackUserAgent({ endpoint, random, capabilities });
    const contact = this.#contact.slice(1, -1);
    this.#registration = new RegistrationClient({ identity, contact, expiresSeconds: 600, random });
  }

  start(now: Instant): void {
    this.#agent.start(now);
    this.#agent.sendRequest(this.#registration.register(), this.#proxy, now);
    this.#drain(now);
  }

  call(to: string, offer: string, now: Instant, headers: readonly HeaderChange[] = []): void {
    const { proxy, sip, identity } = this.#options;
    const { call } = this.#agent.placeCall(
      {
        contact: this.#contact,
        local: sip,
        requestUri: to,
        routes: [`<sip:${formatTransportAddress(proxy)};lr>`, ...this.#routes],
        nextHop: this.#proxy,
        from: `<${identity.publicIdentity}>`,
        headers,
        body: offer,
      },
      now,
    );
    this.calls.push({ call, leg: 'callee' });
    this.#drain(now);
  }

  /** re-INVITE. */
  change(offer: string, now: Instant): void {
    this.request('INVITE', offer, now);
  }

  /** Within its call; a telephone may send any method. */
  request(
    method: string,
    body: string,
    now: Instant,
    within: PhoneCall | undefined = this.calls.at(-1),
    headers: readonly HeaderChange[] = [],
  ): void {
    if (within === undefined) return;
    const request = { method: method as LocalRequest['method'], headers, ...(body !== '' && { body }) };
    this.#agent.sendLocally(within.call, within.leg, request, now);
    this.#drain(now);
  }

  hangUp(now: Instant, ended: PhoneCall | undefined = this.calls.at(-1)): void {
    if (ended !== undefined) this.#agent.endCall(ended.call, now);
    this.#drain(now);
  }

  /** The dialog of a call, as this phone knows it. Undefined: that has ended. */
  dialogOf({ call, leg }: PhoneCall): LegView | undefined {
    return this.#agent.legOf(call, leg);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#agent.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#agent.handleTimeout(now);
    this.#drain(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#agent.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }

  get #proxy(): SipTarget {
    const { proxy, onlyTransport: transport } = this.#options;
    return { ...proxy, ...(transport && { transport }) };
  }

  get #contact(): string {
    const { identity, sip, onlyTransport: transport } = this.#options;
    const user = identity.publicIdentity.replace(/^sip:|@.*/g, '');
    return `<sip:${user}@${formatTransportAddress(sip)}${transport ? `;transport=${transport}` : ''}>`;
  }

  #drain(now: Instant): void {
    for (let output = this.#agent.pollOutput(); output !== undefined; output = this.#agent.pollOutput()) {
      if (output.kind === 'event') this.#handleEvent(output.event, now);
      else this.#outputs.push(output);
    }
  }

  #handleEvent(event: CallEvent, now: Instant): void {
    if (event.type === 'outside-response-arrived') {
      const outcome = this.#registration.handleResponse(event.response, now);
      if (outcome?.kind === 'repeat') this.#agent.sendRequest(outcome.request, this.#proxy, now);
      else if (outcome?.kind === 'registered') this.#routes = outcome.serviceRoute;
    } else if (event.type === 'call-arrived') {
      this.calls.push({ call: event.call, leg: 'caller' });
      this.heard.push(event.request.body);
      const path = { contact: this.#contact, local: this.#options.sip };
      this.#agent.answerLocally(event.token, { statusCode: 200, body: this.answer, path }, now);
    } else if (event.type === 'replacement-arrived') {
      this.heard.push(event.request.body);
      this.#agent.answerLocally(event.token, { statusCode: 200, body: this.answer }, now);
    } else if (event.type === 'body-arrived') {
      this.heard.push(event.body);
      this.#agent.answerLocally(event.token, { statusCode: 200, body: this.answer }, now);
    } else if (event.type === 'response-arrived' && event.response.statusCode >= 200) {
      this.statusCodes.push(event.response.statusCode);
      if (event.response.body !== '') this.heard.push(event.response.body);
    } else if (event.type === 'leg-lost') this.#agent.endCall(event.call, now);
    else if (event.type === 'call-ended') this.isEnded = true;
  }
}
