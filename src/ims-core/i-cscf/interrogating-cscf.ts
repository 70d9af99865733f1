/**
 * I-CSCF (TRIM Fig. 1): the way into the home network; it asks the HSS which S-CSCF serves a user and steps aside.
 *
 * Follows TS 24.229 §5.3, TS 29.228 §6.1.1 (UAR) and §6.1.4 (LIR), RFC 3261 §16. No Record-Route: requests within a dialog pass it by.
 * It remembers nothing between requests. Left out: topology hiding, public service identities, the subscription locator (Dx).
 */
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import { type RandomSource, randomToken } from '../../base/random-source.ts';
import { type Avp, avp, optionalAvp } from '../../protocols/diameter/avp.ts';
import { type CxAnswer, CxClient, type CxClientOptions } from '../../protocols/diameter/cx-client.ts';
import type { CxResult } from '../../protocols/diameter/cx-result.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { cxResultCode } from '../../protocols/diameter/result-code.ts';
import { SipEndpoint, type SipListener } from '../../protocols/sip/endpoint.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { contactsOf, expiresOf, toOf } from '../../protocols/sip/message/header-fields.ts';
import { withParameter } from '../../protocols/sip/message/parameters.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort, formatUri, parseSipUri, parseUri } from '../../protocols/sip/message/sip-uri.ts';
import type { ForwardTarget, ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { type HostAddress, SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import { privateIdentityOf } from '../../protocols/sip/registration/private-identity.ts';
import type { ServerTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import type { SipTimers } from '../../protocols/sip/transaction/timers.ts';
import { type ServerCapabilities, selectServers } from './server-selection.ts';

export interface InterrogatingCscfOptions {
  readonly listen: readonly SipListener[];
  readonly address: TransportAddress;
  /** The home domains; a Route that names one of them is the I-CSCF's own. */
  readonly domains: readonly string[];
  readonly servers: readonly ServerCapabilities[];
  /** The hosts that stand in the names of the S-CSCFs. */
  readonly hosts: ReadonlyMap<string, HostAddress>;
  readonly diameter: CxClientOptions;
  readonly random: RandomSource;
  readonly timers?: Partial<SipTimers>;
}

interface Enquiry {
  readonly transaction: ServerTransactionId;
  readonly request: SipRequest;
}

export class InterrogatingCscf implements Machine<NetworkInput, NetworkOutput> {
  readonly #options: InterrogatingCscfOptions;
  readonly #proxy: SipProxy;
  readonly #cx: CxClient<Enquiry>;
  /** S-CSCFs still to try if the one before does not answer. */
  readonly #candidates = new Map<ServerTransactionId, readonly string[]>();

  constructor(options: InterrogatingCscfOptions) {
    this.#options = options;
    const { listen, random, address, domains, hosts } = options;
    const timers = options.timers === undefined ? {} : { timers: options.timers };
    const endpoint = new SipEndpoint({ listen, random, hasOverloadControl: true, ...timers });
    const ownNames = [formatHostPort(address.address, address.port), ...domains];
    this.#proxy = new SipProxy({ endpoint, ownNames, hosts, ...timers });
    this.#cx = new CxClient(options.diameter, random);
  }

  /** Whether an HSS can be asked. */
  get isConnected(): boolean {
    return this.#cx.isConnected;
  }

  start(now: Instant): void {
    this.#cx.start(now);
    this.#proxy.start(now);
  }

  /** Takes leave of the HSS. */
  stop(now: Instant): void {
    this.#cx.stop(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#cx.handleInput(input, now);
    this.#proxy.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#cx.handleTimeout(now);
    this.#proxy.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    return earlierTimeout(this.#cx.pollTimeout(), this.#proxy.pollTimeout());
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#cx.pollOutput() ?? this.#proxy.pollOutput();
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#proxy.pollEvent(now); event !== undefined; event = this.#proxy.pollEvent(now)) {
      this.#handleSipEvent(event, now);
    }
    for (let answer = this.#cx.pollAnswer(); answer !== undefined; answer = this.#cx.pollAnswer()) {
      this.#handleAnswer(answer, now);
    }
  }

  #handleSipEvent(event: ProxyEvent, now: Instant): void {
    if (event.kind === 'request') this.#enquire(event, now);
    else if (event.kind === 'ack') this.#proxy.forwardAck(event.request, {}, now);
    else if (event.kind === 'response-chosen') this.#handleResponse(event, now);
    else if (event.kind === 'terminated') this.#candidates.delete(event.transaction as ServerTransactionId);
  }

  #enquire({ transaction, request }: Enquiry, now: Instant): void {
    const isRegister = request.method === 'REGISTER';
    const uri = isRegister ? toOf(request).uri : parseUri(request.requestUri);
    if (isMalformed(uri)) {
      this.#refuse({ transaction, request }, 400, now);
      return;
    }
    const identity = avp(cxAvps.publicIdentity, addressOfRecord(uri));
    const avps = isRegister ? authorizationAvps(request, identity) : [identity];
    const command = isRegister ? cxCommands.userAuthorization : cxCommands.locationInfo;
    this.#cx.ask(command, avps, { transaction, request }, now);
  }

  #handleAnswer({ subject, result, avps }: CxAnswer<Enquiry>, now: Instant): void {
    if (result?.isSuccess === true)
      this.#tryServers(subject, selectServers(avps, this.#options.servers), now);
    else this.#refuse(subject, refusalOf(subject.request, result), now);
  }

  #tryServers(enquiry: Enquiry, servers: readonly string[], now: Instant): void {
    const [server, ...others] = servers;
    const uri = server === undefined ? undefined : parseSipUri(server);
    if (server === undefined || uri === undefined || isMalformed(uri)) {
      // TS 24.229 §5.3.1.3: no S-CSCF with the capabilities that the HSS asks for.
      this.#refuse(enquiry, 600, now);
      return;
    }
    const route = formatUri({ ...uri, parameters: withParameter(uri.parameters, 'lr', '') });
    const target: ForwardTarget =
      enquiry.request.method === 'REGISTER' ? { requestUri: server } : { routes: [`<${route}>`] };
    this.#candidates.set(enquiry.transaction, others);
    this.#proxy.forward(enquiry.transaction, [target], now);
  }

  #handleResponse(
    { transaction, request, response }: Enquiry & { readonly response: SipResponse },
    now: Instant,
  ): void {
    const others = this.#candidates.get(transaction) ?? [];
    // TS 24.229 §5.3.1.3: an S-CSCF that does not answer, or is overloaded, gives way to the next.
    if (others.length > 0 && [408, 503, 504].includes(response.statusCode)) {
      this.#tryServers({ transaction, request }, others, now);
    } else this.#proxy.respond(transaction, response, now);
  }

  #refuse({ transaction, request }: Enquiry, statusCode: number, now: Instant): void {
    const toTag = randomToken(this.#options.random, 10);
    this.#proxy.respond(transaction, createResponse(request, statusCode, { toTag }), now);
  }
}

/** TS 29.228 §6.1.1.1. */
function authorizationAvps(request: SipRequest, identity: Avp): readonly Avp[] {
  const visited =
    request.headers.get('P-Visited-Network-ID') ?? `"${request.requestUri.replace(/^sips?:/i, '')}"`;
  const isRemoval =
    request.headers.get('Contact') === '*' ||
    (contactsOf(request).length > 0 &&
      contactsOf(request).every(
        ({ parameters }) => Number(parameters.get('expires') ?? expiresOf(request) ?? Number.NaN) === 0,
      ));
  return [
    avp(baseAvps.userName, privateIdentityOf(request)),
    identity,
    avp(
      cxAvps.visitedNetworkIdentifier,
      Uint8Array.from(visited, (character) => character.charCodeAt(0)),
    ),
    ...optionalAvp(cxAvps.userAuthorizationType, isRemoval ? 1 : undefined),
  ];
}

/** TS 29.229. A server that is silent or unable to comply is not the user's fault. */
function refusalOf(request: SipRequest, result: CxResult | undefined): number {
  if (result === undefined) return 504;
  if (result.experimental === undefined) return 500;
  if (request.method === 'REGISTER') return 403;
  return result.experimental === cxResultCode.userUnknown ? 404 : 480;
}
