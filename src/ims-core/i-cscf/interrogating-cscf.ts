/**
 * I-CSCF (TRIM Fig. 1): the way into the home network; it asks the HSS which S-CSCF serves a user and steps aside.
 *
 * Follows TS 24.229 §5.3, TS 29.228 §6.1.1 (UAR) and §6.1.4 (LIR), RFC 3261 §16. No Record-Route: requests within a dialog pass it by.
 * It remembers nothing between requests. Left out: topology hiding, public service identities, the subscription locator (Dx).
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import { type RandomSource, randomToken } from '../../base/random-source.ts';
import { type Avp, avp, avpValue, optionalAvp } from '../../protocols/diameter/avp.ts';
import { type CxAnswer, CxClient, type CxClientOptions } from '../../protocols/diameter/cx-client.ts';
import type { CxResult } from '../../protocols/diameter/cx-result.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { cxResultCode } from '../../protocols/diameter/result-code.ts';
import { SipEndpoint, type SipListener } from '../../protocols/sip/endpoint.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import {
  addressesOf,
  contactsOf,
  expiresOf,
  fromOf,
  toOf,
} from '../../protocols/sip/message/header-fields.ts';
import { withParameter } from '../../protocols/sip/message/parameters.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import {
  formatHostPort,
  formatUri,
  parseSipUri,
  parseUri,
  type Uri,
} from '../../protocols/sip/message/sip-uri.ts';
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
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly locatesServers?: boolean;
  readonly diameter: CxClientOptions;
  /** How long an S-CSCF may stay without any response; default 12 s: it may have to wait for the HSS itself, and the terminal waits for 32 s. */
  readonly serverTimeoutMs?: DurationMs;
  readonly random: RandomSource;
  readonly timers?: Partial<SipTimers>;
}

interface Enquiry {
  readonly transaction: ServerTransactionId;
  readonly request: SipRequest;
  /** On behalf of whom an application server sends it: its own Route said `orig` (TS 24.229 §5.7.3). */
  readonly isOriginating: boolean;
  /** S-CSCFs that have failed already. */
  readonly tried: readonly string[];
}

/** A request at one S-CSCF, and those that can be tried next. */
interface Attempt extends Enquiry {
  readonly others: readonly string[];
  /** Whether the HSS has been asked what an S-CSCF must be able to do, in place of which one it is. */
  readonly hasCapabilities: boolean;
}

export class InterrogatingCscf implements Machine<NetworkInput, NetworkOutput> {
  readonly #options: InterrogatingCscfOptions;
  readonly #proxy: SipProxy;
  readonly #cx: CxClient<Enquiry>;
  /** By the request that the proxy core holds: an entry goes with it. */
  readonly #attempts = new WeakMap<SipRequest, Attempt>();

  constructor(options: InterrogatingCscfOptions) {
    this.#options = options;
    const { listen, random, address, domains, hosts } = options;
    const timers = options.timers === undefined ? {} : { timers: options.timers };
    const endpoint = new SipEndpoint({
      listen,
      random,
      hasOverloadControl: true,
      locatesServers: options.locatesServers ?? false,
      ...timers,
    });
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
    if (event.kind === 'request') {
      const { transaction, request, ownRoute } = event;
      const isOriginating = ownRoute?.parameters.has('orig') === true;
      this.#enquire({ transaction, request, isOriginating, tried: [] }, now);
    } else if (event.kind === 'ack') this.#proxy.forwardAck(event.request, {}, now);
    else if (event.kind === 'response-chosen') this.#handleResponse(event, now);
  }

  /** UAR or LIR. */
  #enquire(enquiry: Enquiry, now: Instant): void {
    const { request, isOriginating, tried } = enquiry;
    if (request.method === 'REGISTER') {
      const type = tried.length > 0 ? withCapabilities : isRemoval(request) ? deregistration : undefined;
      this.#cx.ask(cxCommands.userAuthorization, authorizationAvps(request, type), enquiry, now);
      return;
    }
    const uri = isOriginating ? servedUriOf(request) : parseUri(request.requestUri);
    if (isMalformed(uri)) {
      this.#refuse(enquiry, 400, now);
      return;
    }
    const avps = [
      avp(cxAvps.publicIdentity, addressOfRecord(uri)),
      ...optionalAvp(cxAvps.originatingRequest, isOriginating ? originating : undefined),
    ];
    this.#cx.ask(cxCommands.locationInfo, avps, enquiry, now);
  }

  #handleAnswer({ subject, result, avps }: CxAnswer<Enquiry>, now: Instant): void {
    if (result?.isSuccess !== true) {
      this.#refuse(subject, refusalOf(subject.request, result), now);
      return;
    }
    const { tried } = subject;
    const others = selectServers(avps, this.#options.servers).filter((name) => !tried.includes(name));
    const hasCapabilities = avpValue(avps, cxAvps.serverName) === undefined;
    this.#tryServers({ ...subject, others, hasCapabilities }, now);
  }

  #tryServers(attempt: Attempt, now: Instant): void {
    const [server, ...others] = attempt.others;
    const uri = server === undefined ? undefined : parseSipUri(server);
    if (server === undefined || uri === undefined || isMalformed(uri)) {
      // TS 24.229 §5.3.1.3: no S-CSCF with the capabilities that the HSS asks for; 504 when those that have them are silent.
      this.#refuse(attempt, attempt.tried.length > 0 ? 504 : 600, now);
      return;
    }
    const loose = withParameter(uri.parameters, 'lr', '');
    const parameters = attempt.isOriginating ? withParameter(loose, 'orig', '') : loose;
    const target: ForwardTarget = {
      firstResponseMs: this.#options.serverTimeoutMs ?? 12_000,
      ...(attempt.request.method === 'REGISTER'
        ? { requestUri: server }
        : { routes: [`<${formatUri({ ...uri, parameters })}>`] }),
    };
    this.#attempts.set(attempt.request, { ...attempt, others, tried: [...attempt.tried, server] });
    this.#proxy.forward(attempt.transaction, [target], now);
  }

  /** TS 24.229 §5.3.1.3, TS 23.380 §4.2: an S-CSCF that does not answer, or is overloaded, gives way to the next. */
  #handleResponse(
    { transaction, request, response }: Extract<ProxyEvent, { kind: 'response-chosen' }>,
    now: Instant,
  ): void {
    const attempt = this.#attempts.get(request);
    const hasFailed = [408, 503, 504].includes(response.statusCode);
    if (attempt === undefined || !hasFailed) this.#proxy.respond(transaction, response, now);
    else if (attempt.others.length > 0) this.#tryServers(attempt, now);
    // The HSS named that one: what must another be able to do?
    else if (attempt.request.method === 'REGISTER' && !attempt.hasCapabilities) this.#enquire(attempt, now);
    else this.#proxy.respond(transaction, response, now);
  }

  #refuse({ transaction, request }: Enquiry, statusCode: number, now: Instant): void {
    const toTag = randomToken(this.#options.random, 10);
    this.#proxy.respond(transaction, createResponse(request, statusCode, { toTag }), now);
  }
}

/** User-Authorization-Type (TS 29.229 §6.3.24) and Originating-Request (§6.3.34). */
const deregistration = 1;
const withCapabilities = 2;
const originating = 0;

/** TS 29.228 §6.1.1.1. */
function authorizationAvps(request: SipRequest, type: number | undefined): readonly Avp[] {
  const visited =
    request.headers.get('P-Visited-Network-ID') ?? `"${request.requestUri.replace(/^sips?:/i, '')}"`;
  return [
    avp(baseAvps.userName, privateIdentityOf(request)),
    avp(cxAvps.publicIdentity, addressOfRecord(toOf(request).uri)),
    avp(
      cxAvps.visitedNetworkIdentifier,
      Uint8Array.from(visited, (character) => character.charCodeAt(0)),
    ),
    ...optionalAvp(cxAvps.userAuthorizationType, type),
  ];
}

/** Whether nothing but contacts to be taken back is in it. */
function isRemoval(request: SipRequest): boolean {
  const contacts = contactsOf(request);
  const secondsOf = ({ parameters }: (typeof contacts)[number]): number =>
    Number(parameters.get('expires') ?? expiresOf(request) ?? Number.NaN);
  return (
    request.headers.get('Contact') === '*' ||
    (contacts.length > 0 && contacts.every((contact) => secondsOf(contact) === 0))
  );
}

function servedUriOf(request: SipRequest): Uri {
  const [served] = addressesOf(request, 'P-Served-User');
  const [asserted] = addressesOf(request, 'P-Asserted-Identity');
  return (served ?? asserted ?? fromOf(request)).uri;
}

/** TS 29.229. A server that is silent or unable to comply is not the user's fault. */
function refusalOf(request: SipRequest, result: CxResult | undefined): number {
  if (result === undefined) return 504;
  if (result.experimental === undefined) return 500;
  if (request.method === 'REGISTER') return 403;
  return result.experimental === cxResultCode.userUnknown ? 404 : 480;
}
