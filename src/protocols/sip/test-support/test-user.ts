/** An endpoint on a test network whose events are kept, and answered by what the test says. */
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipEndpoint, type SipEndpointOptions } from '../endpoint.ts';
import { createResponse } from '../message/create-response.ts';
import type { SipResponse } from '../message/sip-message.ts';
import type { ServerTransactionId, SipEvent } from '../transaction/sip-event.ts';
import type { SipTestNetwork } from './sip-network.ts';

export class TestUser {
  readonly endpoint: SipEndpoint;
  readonly events: SipEvent[] = [];
  /** Called for each event as it comes. */
  reaction: (event: SipEvent) => void = () => {};
  readonly #network: SipTestNetwork;
  readonly #address: string;

  /** Listens on port 5060, UDP and TCP, unless the options say otherwise. */
  constructor(network: SipTestNetwork, address: string, options: Partial<SipEndpointOptions> = {}) {
    const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, address, port: 5060 }));
    const seed = Number(address.split('.').at(-1));
    this.endpoint = new SipEndpoint({ listen, random: new SeededRandomSource(seed), ...options });
    this.#network = network;
    this.#address = address;
    this.endpoint.start(network.now);
    network.add(this.endpoint, () => this.#drain());
  }

  /** Answers each request with these status codes, at once; 2xx and the rest with a To tag made of the own address. */
  answerWith(...statusCodes: readonly number[]): void {
    this.reaction = (event) => {
      if (event.kind !== 'request') return;
      for (const statusCode of statusCodes) this.respond(event, statusCode);
    };
  }

  respond(event: Extract<SipEvent, { kind: 'request' }>, statusCode: number): SipResponse {
    const response = createResponse(event.request, statusCode, { toTag: this.#address });
    this.endpoint.respond(event.transaction, response, this.#network.now);
    return response;
  }

  /** The last request that came. */
  get lastRequest(): Extract<SipEvent, { kind: 'request' }> {
    return this.events.findLast((event) => event.kind === 'request')!;
  }

  get transactions(): ServerTransactionId[] {
    return this.events.flatMap((event) => (event.kind === 'request' ? [event.transaction] : []));
  }

  /** "request INVITE", "response 200", "timed-out" … */
  get summary(): string[] {
    return this.events.map((event) => {
      if (event.kind === 'request') return `request ${event.request.method}`;
      return event.kind === 'response' ? `response ${event.response.statusCode}` : event.kind;
    });
  }

  #drain(): void {
    for (let event = this.endpoint.pollEvent(); event !== undefined; event = this.endpoint.pollEvent()) {
      this.events.push(event);
      this.reaction(event);
    }
  }
}
