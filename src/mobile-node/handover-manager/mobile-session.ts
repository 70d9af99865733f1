/**
 * One multimedia session of an application as the handover manager remembers it: the "current SDP payload and an identifier of the
 * session" of TRIM §3.1, the access that carries it, and a move that is under way. Holds data and the rules of offer and answer; who sends
 * what is decided in handover-manager.ts.
 */
import type { Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { LegOrigin, originOf } from '../../protocols/sdp/origin.ts';
import type { SessionDescription } from '../../protocols/sdp/session-description.ts';
import type {
  CallHandle,
  LegName,
  LocalRequestHandle,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { MediaBinding } from '../address-translator/local-address-translator.ts';
import type { NetworkAccess } from './network-access.ts';
import {
  asMove,
  asReserved,
  bindingsOf,
  placedAt,
  placedForApplication,
  type Said,
} from './session-media.ts';
import type { StandInAddresses } from './stand-in-addresses.ts';

/** A handover of this session that has been signalled and is not yet answered. */
export interface Move {
  readonly access: NetworkAccess;
  readonly request: LocalRequestHandle;
  /** By INVITE with Replaces instead of re-INVITE. */
  readonly isReplacement: boolean;
  readonly offer: SessionDescription;
  /** The session was changed while the move waited for its turn: it is to be offered anew. */
  isOutdated: boolean;
  /** Where the network's end will be, from an answer ahead of the final one. */
  answer: SessionDescription | undefined;
  /** The UPDATE that says that local resources are there. */
  reservation: LocalRequestHandle | undefined;
}

/** For `trimaran status`. */
export interface SessionSummary {
  readonly id: string;
  readonly peer: string;
  readonly access: string;
  readonly state: 'being set up' | 'established';
  readonly media: readonly string[];
}

export class MobileSession {
  readonly call: CallHandle;
  readonly networkLeg: LegName;
  readonly peer: string;
  /** Carries signalling and the applications' packets. */
  access: NetworkAccess;
  isConfirmed = false;
  /** The other end of the network's leg knows the dialog as confirmed too: before, it would not find what a move replaces (RFC 3891 §3). */
  isKnownAsConfirmed = false;
  /** The application has left; the network does not know yet. */
  isOver = false;
  /** The access was away since it began to carry the session: nobody knows what became of that in the network. */
  isInDoubt = false;
  move: Move | undefined;
  /** A move of a call that still rings: the second INVITE waits for its first answer, or this UPDATE. */
  unanswered: 'taking over' | LocalRequestHandle | undefined;
  /** When the last move began. */
  startedAt: Instant = 0;
  /** That of the INVITE that made the network's dialog. */
  proxyCscf: TransportAddress;
  /** The network answers an offer once more that it has answered. */
  repeatsAnswer = false;
  /** Where to go once the session may be moved (not before it is confirmed). */
  destination: NetworkAccess | undefined;
  /** When a session whose network leg is lost is given up. */
  lostUntil: Instant | undefined;
  readonly #origin: LegOrigin;
  /** Of what the application is told: the network's, which counts handovers too, with a version of its own. */
  #applicationOrigin: LegOrigin | undefined;
  #offer: { readonly side: 'application' | 'network'; readonly said: Said } | undefined;
  #application: Said | undefined;
  #network: Said | undefined;

  constructor(call: CallHandle, networkLeg: LegName, peer: string, access: NetworkAccess, originId: number) {
    this.call = call;
    this.networkLeg = networkLeg;
    this.peer = peer;
    this.access = access;
    this.proxyCscf = access.proxyCscf;
    this.#origin = new LegOrigin({
      username: '-',
      sessionId: String(originId),
      address: access.address,
    });
  }

  get id(): string {
    return String(this.call);
  }

  get isMoving(): boolean {
    return this.move !== undefined || this.unanswered !== undefined;
  }

  /** The access that carries it is gone. A call that rings is given up at `until` unless it goes on by another one. */
  strand(until: Instant): void {
    this.unanswered = undefined;
    this.isInDoubt = true;
    if (!this.isConfirmed) this.lostUntil = until;
    else if (this.isOver) this.lostUntil = undefined;
  }

  /** What application and network have agreed on; `undefined` before the first answer. */
  get agreement(): { readonly application: Said; readonly network: Said } | undefined {
    return this.#application && this.#network && { application: this.#application, network: this.#network };
  }

  /** Notes what one side said. An offer changes nothing until it is answered: it may be refused. */
  hear(side: 'application' | 'network', said: Said): void {
    if (said.role === 'offer') {
      this.#offer = { side, said };
      return;
    }
    const offer = this.#offer;
    if (offer === undefined || offer.side === side) return;
    const offered: Said = { ...offer.said, role: 'offer' };
    [this.#application, this.#network] = side === 'application' ? [said, offered] : [offered, said];
  }

  /** The network's answer to a move: what the application agreed to stays, whatever the place that it stands for now. */
  hearMoveAnswer(places: SessionDescription): void {
    if (this.#network !== undefined) this.#network = { ...this.#network, places };
  }

  /** What the network says, as this session's application is to hear it. */
  fromNetwork(description: SessionDescription, role: Said['role'], standIns: StandInAddresses): Said {
    const told = placedForApplication(description, this.#network?.description, standIns);
    return told === description ? { description, role } : { description: told, role, places: description };
  }

  /** Of what is agreed on; with `places`, as they will be when the network's end is there. */
  bindings(places?: SessionDescription): MediaBinding[] {
    const { agreement } = this;
    if (agreement === undefined) return [];
    const { application, network } = agreement;
    return bindingsOf(this.id, application, places === undefined ? network : { ...network, places });
  }

  /** An application's description as it goes to the network over the present access. */
  toNetwork(description: SessionDescription): string {
    return this.#stamp(placedAt(description, this.access.address));
  }

  /** The network's description as it goes to the application. */
  toApplication(description: SessionDescription): string {
    this.#applicationOrigin ??= new LegOrigin(originOf(description));
    return this.#applicationOrigin.format(description);
  }

  /** What is offered to move the session, with the text of it. Only for a session with an agreement. */
  moveOffer(access: NetworkAccess, withReservation: boolean): { offer: SessionDescription; text: string } {
    const agreed = this.agreement?.application.description;
    if (agreed === undefined) throw new Error('invariant: a session is moved after its media are agreed on');
    const offer = asMove(placedAt(agreed, access.address), withReservation);
    return { offer, text: this.#stamp(offer) };
  }

  /** What is offered for a call that rings and is taken elsewhere: what it was offered with, or what is agreed on already. */
  setUpOffer(access: NetworkAccess): string | undefined {
    if (this.agreement !== undefined) return this.moveOffer(access, false).text;
    const offer = this.#offer;
    return offer?.side === 'application'
      ? this.#stamp(placedAt(offer.said.description, access.address))
      : undefined;
  }

  reservedOffer(move: Move, answer: SessionDescription): string {
    return this.#stamp(asReserved(move.offer, answer));
  }

  summary(): SessionSummary {
    const media = this.#network?.description.media ?? [];
    return {
      id: this.id,
      peer: this.peer,
      access: this.access.name,
      state: this.isConfirmed ? 'established' : 'being set up',
      media: media.map((medium) => `${medium.media} ${medium.protocol}`),
    };
  }

  #stamp(description: SessionDescription): string {
    return this.#origin.format(description);
  }
}
