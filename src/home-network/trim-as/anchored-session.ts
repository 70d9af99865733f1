/**
 * One session that the TRIM AS anchors (TRIM §3.2, §3.3): who the mobile node is, where its media are bound, what each side last said, and a
 * handover that is not finished. Data and the rules for what each leg is told; trim-application-server.ts acts.
 */
import type { Instant } from '../../base/instant.ts';
import type { NatSession } from '../../protocols/diameter/nat-control-client.ts';
import { transportOf, withAttribute } from '../../protocols/sdp/media-attributes.ts';
import { LegOrigin } from '../../protocols/sdp/origin.ts';
import {
  answerPreconditions,
  preconditionsOf,
  withPreconditions,
} from '../../protocols/sdp/preconditions.ts';
import { type SessionDescription, withMedia } from '../../protocols/sdp/session-description.ts';
import type { CallHandle, LegName, Token } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { type Components, type End, translated } from './session-bindings.ts';
import type { HandoverMethod } from './trim-event.ts';

/** The mobile node offered another place for its media and has not had its 200 yet. */
export interface PendingHandover {
  readonly token: Token;
  readonly method: HandoverMethod;
  readonly startedAt: Instant;
  /** With the y:b that the mobile node is told ahead of its 200. */
  readonly reserved?: Components;
}

/** Work on a session is done one after the other: each step may have to wait for the translator. */
export type Job = (now: Instant) => void;

export class AnchoredSession {
  readonly call: CallHandle;
  readonly mobileLeg: LegName;
  /** The mobile node's public identity. */
  readonly identity: string;
  nat: NatSession | undefined;
  components: Components = new Map();
  handover: PendingHandover | undefined;
  readonly refusedTranslators: Set<string> = new Set();
  readonly jobs: Job[] = [];
  isBusy = false;
  readonly #origins: Readonly<Record<End, LegOrigin>>;
  #offer: { readonly end: End; readonly description: SessionDescription } | undefined;
  readonly #agreed: Partial<Record<End, SessionDescription>> = {};
  /** As last sent to the mobile node, before the o= line. */
  #toldMobile: SessionDescription | undefined;

  constructor(call: CallHandle, mobileLeg: LegName, identity: string, address: string, originId: number) {
    this.call = call;
    this.mobileLeg = mobileLeg;
    this.identity = identity;
    const origin = { username: '-', sessionId: String(originId), address };
    this.#origins = { mobileNode: new LegOrigin(origin), correspondent: new LegOrigin(origin) };
  }

  endOf(leg: LegName): End {
    return leg === this.mobileLeg ? 'mobileNode' : 'correspondent';
  }

  /** The description that the mobile node and the correspondent last agreed on, as this end gave it. */
  agreed(end: End): SessionDescription | undefined {
    return this.#agreed[end];
  }

  /** The open offer of the other end, which `end` is about to answer. */
  openOffer(end: End): SessionDescription | undefined {
    return this.#offer?.end === end ? undefined : this.#offer?.description;
  }

  hearOffer(end: End, description: SessionDescription): void {
    this.#offer = { end, description };
  }

  /** The offer stays known: the answer may come again, in another response or from another branch. */
  hearAnswer(end: End, description: SessionDescription): void {
    const offer = this.#offer;
    if (offer === undefined || offer.end === end) return;
    this.#agreed[end] = description;
    this.#agreed[offer.end] = offer.description;
  }

  /** The mobile node is elsewhere; what was agreed on stays. */
  hearMove(description: SessionDescription): void {
    this.#agreed.mobileNode = description;
  }

  /** What the other end is told, with the o= line of its leg. */
  tell(end: End, description: SessionDescription): string {
    if (end === 'mobileNode') this.#toldMobile = description;
    return this.#origins[end].format(description);
  }

  /**
   * The answer to a handover: what the mobile node was told before (TRIM §3.3: "does not contain any changes to the addressing
   * information", but for a mobile node that goes to the other version of IP), in the form of an answer to this offer.
   */
  handoverAnswer(offer: SessionDescription, components: Components = this.components): string {
    if (this.#toldMobile === undefined) throw new Error('invariant: a handover follows an answered offer');
    const told = translated(components, 'correspondent', this.#toldMobile);
    const answer = told.media.reduce((description, media, index) => {
      const asked = offer.media[index];
      if (media.port === 0 || asked === undefined) return description;
      const wanted = preconditionsOf(asked);
      const reserved = withPreconditions(media, wanted && answerPreconditions(wanted, 'sendrecv'));
      return withMedia(
        description,
        index,
        transportOf(media) === 'tcp' ? this.#keepConnection(reserved, index) : reserved,
      );
    }, told);
    return this.#origins.mobileNode.format(answer);
  }

  /** RFC 4145 §4.1, §5: the same end connects as before, and the connection that exists is kept. */
  #keepConnection(
    media: SessionDescription['media'][number],
    index: number,
  ): SessionDescription['media'][number] {
    const isMobileActive = this.components.get(`${index}/media`)?.mobileNode?.port === undefined;
    return withAttribute(
      withAttribute(media, 'setup', isMobileActive ? 'passive' : 'active'),
      'connection',
      'existing',
    );
  }
}
