/** The requests by which the handover manager tells the network that a session is elsewhere (TRIM §3.3), each over the new access. */
import type { Instant } from '../../base/instant.ts';
import { sameTransportAddress } from '../../base/network.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  HeaderChange,
  LocalRequest,
  LocalRequestHandle,
  OutgoingRoute,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { userOf } from './call-routing.ts';
import type { MobileSession, Move } from './mobile-session.ts';
import { accessHeadersOf, type NetworkAccess, routesOf, signallingPathOf } from './network-access.ts';

export class MoveRequests {
  readonly #agent: BackToBackUserAgent;
  readonly #publicIdentity: string;
  readonly #reservation: readonly HeaderChange[];

  constructor(agent: BackToBackUserAgent, publicIdentity: string, withReservation: boolean) {
    this.#agent = agent;
    this.#publicIdentity = publicIdentity;
    this.#reservation = withReservation ? [['Require', 'precondition']] : [];
  }

  /**
   * The route set of the dialog names the P-CSCF of its INVITE for ever (RFC 6141 §5.2), so another one needs another dialog. Without a route
   * set the peer is reached directly, whatever proxy the access has. A re-INVITE would wait for an ACK that does not come.
   */
  needsReplacement(session: MobileSession, access: NetworkAccess): boolean {
    const leg = this.#agent.legOf(session.call, session.networkLeg);
    return (
      leg?.state !== 'confirmed' || !session.isKnownAsConfirmed || !this.#isReachedAsBefore(session, access)
    );
  }

  reinvite(
    session: MobileSession,
    access: NetworkAccess,
    body: string,
    abandonPending: boolean,
    now: Instant,
  ): LocalRequestHandle | undefined {
    const request: LocalRequest = {
      method: 'INVITE',
      body,
      headers: [...accessHeadersOf(access), ...this.#reservation],
      path: signallingPathOf(access, userOf(this.#publicIdentity)),
      abandonPending,
    };
    return this.#agent.sendLocally(session.call, session.networkLeg, request, now);
  }

  /** Inside the request that moves the session: its resources are there. */
  reserved(session: MobileSession, move: Move, body: string, now: Instant): LocalRequestHandle | undefined {
    const request: LocalRequest = {
      method: 'UPDATE',
      body,
      headers: accessHeadersOf(move.access),
      ...(move.isReplacement ? { within: move.request } : {}),
    };
    return this.#agent.sendLocally(session.call, session.networkLeg, request, now);
  }

  replaceLeg(
    session: MobileSession,
    access: NetworkAccess,
    body: string,
    now: Instant,
  ): LocalRequestHandle | undefined {
    const leg = this.#agent.legOf(session.call, session.networkLeg);
    const route = leg && this.#routeOf(leg.remoteTarget, session, access, this.#reservation);
    return route && this.#agent.replaceLeg(session.call, session.networkLeg, { ...route, body }, now);
  }

  /** The node's own call, which still rings, or of which nothing was heard yet. False: it is answered by now. */
  takeOver(session: MobileSession, access: NetworkAccess, body: string, now: Instant): boolean {
    const leg = this.#agent.legOf(session.call, session.networkLeg);
    const route = this.#routeOf(leg?.remoteTarget ?? session.peer, session, access, []);
    return this.#agent.takeOver(session.call, { ...route, body }, now);
  }

  /**
   * A call to the node, which still rings here: its answers leave from the new address from now on (RFC 3261 §18.2.2: they go where the Via
   * says, wherever they come from), and an UPDATE names the new Contact (RFC 3311 §5.1). Undefined: that is for later, by a new dialog.
   */
  ringOn(
    session: MobileSession,
    access: NetworkAccess,
    body: string | undefined,
    now: Instant,
  ): LocalRequestHandle | undefined {
    const { call, networkLeg } = session;
    this.answerFrom(session, access, now);
    if (!this.#isReachedAsBefore(session, access)) return undefined;
    const offer = body === undefined ? {} : { body };
    return this.#agent.sendLocally(
      call,
      networkLeg,
      { method: 'UPDATE', ...offer, headers: accessHeadersOf(access) },
      now,
    );
  }

  /** Answers to what the network asked for leave from the new address, those that wait for an acknowledgement at once. */
  answerFrom({ call, networkLeg }: MobileSession, access: NetworkAccess, now: Instant): void {
    const path = signallingPathOf(access, userOf(this.#publicIdentity));
    this.#agent.moveLeg(call, networkLeg, path, now);
  }

  #isReachedAsBefore(session: MobileSession, access: NetworkAccess): boolean {
    const leg = this.#agent.legOf(session.call, session.networkLeg);
    return leg?.hasRouteSet === false || sameTransportAddress(session.proxyCscf, access.proxyCscf);
  }

  #routeOf(
    requestUri: string,
    session: MobileSession,
    access: NetworkAccess,
    headers: readonly HeaderChange[],
  ): OutgoingRoute {
    return {
      ...signallingPathOf(access, userOf(this.#publicIdentity)),
      requestUri,
      routes: routesOf(access),
      nextHop: access.proxyCscf,
      from: `<${this.#publicIdentity}>`,
      to: `<${session.peer}>`,
      headers: [
        ...accessHeadersOf(access),
        ['P-Preferred-Identity', `<${this.#publicIdentity}>`],
        ...headers,
      ],
    };
  }
}
