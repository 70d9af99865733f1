/** A peer without rules, for tests: sends what it is told and keeps what it gets. */
import type { Instant } from '../../../base/instant.ts';
import { isMalformed } from '../../../base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { createResponse } from '../message/create-response.ts';
import { parseSipMessage } from '../message/parse-sip-message.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import { type SipMessage, SipRequest, type SipResponse } from '../message/sip-message.ts';
import { anchorAddress } from './call-parties.ts';
import type { SipTestMachine, SipTestNetwork } from './sip-network.ts';

export interface RawParts {
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly toTag?: string;
}

export class RawPeer implements SipTestMachine {
  readonly received: SipMessage[] = [];
  readonly address: string;
  readonly #network: SipTestNetwork;
  readonly #outputs: NetworkOutput[] = [];
  #count = 0;

  constructor(network: SipTestNetwork, address: string) {
    this.#network = network;
    this.address = address;
    this.#outputs.push({ kind: 'listen', transport: 'udp', local: { address, port: 5060 } });
    network.add(this, () => {});
  }

  requests(method: string): SipRequest[] {
    return this.received.filter(
      (message): message is SipRequest => message.kind === 'request' && message.method === method,
    );
  }

  /** Status codes that came for requests of this method, 100 left out. */
  statuses(method: string): number[] {
    const responses = this.received.filter((message): message is SipResponse => message.kind === 'response');
    return responses
      .filter((response) => response.headers.get('CSeq')!.endsWith(method) && response.statusCode > 100)
      .map(({ statusCode }) => statusCode);
  }

  /** Sends a request; names of headers given replace those made up here. */
  send(method: string, parts: RawParts & { readonly requestUri?: string } = {}): SipRequest {
    const request = new SipRequest(method, parts.requestUri ?? `sip:as@${anchorAddress}:5060`);
    const { headers } = request;
    headers.append('Via', `SIP/2.0/UDP ${this.address}:5060;branch=z9hG4bK${this.address}${++this.#count}`);
    headers.append('Max-Forwards', '70');
    headers.append('From', '<sip:raw@test>;tag=raw');
    headers.append('To', '<sip:as@test>');
    headers.append('Call-ID', 'raw');
    headers.append('CSeq', `${this.#count} ${method}`);
    headers.append('Contact', `<sip:raw@${this.address}:5060>`);
    this.#finish(request, parts);
    return request;
  }

  respond(request: SipRequest, statusCode: number, parts: RawParts = {}): void {
    const response = createResponse(request, statusCode, { toTag: parts.toTag ?? 'raw' });
    response.headers.append('Contact', `<sip:raw@${this.address}:5060>`);
    this.#finish(response, parts);
  }

  handleInput(input: NetworkInput): void {
    if (input.kind !== 'datagram-received') return;
    const message = parseSipMessage(input.payload);
    if (!isMalformed(message)) this.received.push(message);
  }

  handleTimeout(_now: Instant): void {}

  pollTimeout(): undefined {}

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }

  #finish(message: SipMessage, { headers = [], body = '' }: RawParts): void {
    for (const [name, value] of headers) message.headers.set(name, value);
    if (body !== '') message.headers.set('Content-Type', 'application/sdp');
    message.body = body;
    const local = { address: this.address, port: 5060 };
    const remote = { address: anchorAddress, port: 5060 };
    this.#outputs.push({
      kind: 'transmit',
      transport: 'udp',
      local,
      remote,
      payload: serializeSipMessage(message),
    });
    this.#network.flush();
  }
}
