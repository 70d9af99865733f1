/**
 * One session that the TRIM AS anchors (TRIM §3.2, §3.3): who the mobile node is, where its media are bound, what each side last said, and a
 * handover that is not finished. Data and the rules for what each leg is told; trim-application-server.ts acts.
 */
import type { Instant } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import { ownText } from '../../base/own-text.ts';
import { emptyList, withItem, withoutItem } from '../../base/short-list.ts';
import type { NatSession } from '../../protocols/diameter/nat-control-client.ts';
import { transportOf, withAttribute } from '../../protocols/sdp/media-attributes.ts';
import { nextDescription } from '../../protocols/sdp/origin.ts';
import {
  answerPreconditions,
  preconditionsOf,
  withPreconditions,
} from '../../protocols/sdp/preconditions.ts';
import {
  formatSessionDescription,
  parseSessionDescription,
  type SessionDescription,
  withMedia,
} from '../../protocols/sdp/session-description.ts';
import type { CallHandle, LegName, Token } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { type Components, componentAt, type End, translated } from './session-bindings.ts';
import type { HandoverMethod } from './trim-event.ts';

/** The mobile node offered another place for its media and has not had its 200 yet. */
export interface PendingHandover {
  readonly token: Token;
  readonly method: HandoverMethod;
  readonly startedAt: Instant;
  /** With the y:b that the mobile node is told ahead of its 200. */
  readonly reserved?: Components;
}

type Job = (now: Instant) => void;

export class AnchoredSession {
  readonly call: CallHandle;
  readonly mobileLeg: LegName;
  /** The mobile node's public identity. */
  readonly identity: string;
  nat: NatSession | undefined;
  components: Components = emptyList;
  handover: PendingHandover | undefined;
  /** The correspondent has left; the mobile node does not know yet. */
  isOver = false;
  /** Those that wait for the one at work. */
  #jobs: readonly Job[] = emptyList;
  #isBusy = false;
  /** Of the o= lines of both legs. */
  readonly #originId: string;
  readonly #address: string;
  // Session descriptions are kept as text: once all is said it is seldom needed again, and read it would take up several times as much.
  /** The last offer and who made it. */
  #offer = '';
  #offerer: End | undefined;
  /** The same as it was read, until its answer comes: in most sessions the only one who asks. */
  #unanswered: SessionDescription | undefined;
  /** What each end said in the offer or answer that is in force. */
  #agreedMobileNode: string | undefined;
  #agreedCorrespondent: string | undefined;
  /** What each end was told last. */
  #toldMobileNode: string | undefined;
  #toldCorrespondent: string | undefined;

  constructor(call: CallHandle, mobileLeg: LegName, identity: string, address: string, originId: number) {
    this.call = call;
    this.mobileLeg = mobileLeg;
    this.identity = ownText(identity);
    this.#address = address;
    this.#originId = String(originId);
  }

  /** Work on a session is done one after the other: each step may have to wait for the translator. A job ends with `finishJob`. */
  enqueue(now: Instant, job: Job): void {
    this.#jobs = withItem(this.#jobs, job);
    if (!this.#isBusy) this.finishJob(now);
  }

  /** The next one starts. */
  finishJob(now: Instant): void {
    const [job] = this.#jobs;
    this.#isBusy = job !== undefined;
    if (job === undefined) return;
    this.#jobs = withoutItem(this.#jobs, job);
    job(now);
  }

  endOf(leg: LegName): End {
    return leg === this.mobileLeg ? 'mobileNode' : 'correspondent';
  }

  /** The description that the mobile node and the correspondent last agreed on, as this end gave it. */
  agreed(end: End): SessionDescription | undefined {
    return parsed(end === 'mobileNode' ? this.#agreedMobileNode : this.#agreedCorrespondent);
  }

  /** The open offer of the other end, which `end` is about to answer. */
  openOffer(end: End): SessionDescription | undefined {
    if (this.#offerer === undefined || this.#offerer === end) return undefined;
    return this.#unanswered ?? parsed(this.#offer);
  }

  hearOffer(end: End, description: SessionDescription): void {
    this.#offer = ownText(formatSessionDescription(description));
    this.#offerer = end;
    this.#unanswered = description;
  }

  /** The offer stays known: the answer may come again, in another response or from another branch. */
  hearAnswer(end: End, description: SessionDescription): void {
    if (this.#offerer === undefined || this.#offerer === end) return;
    this.#unanswered = undefined;
    const answer = ownText(formatSessionDescription(description));
    this.#agreedMobileNode = end === 'mobileNode' ? answer : this.#offer;
    this.#agreedCorrespondent = end === 'mobileNode' ? this.#offer : answer;
  }

  /** The mobile node is elsewhere; what was agreed on stays. */
  hearMove(description: SessionDescription): void {
    this.#agreedMobileNode = ownText(formatSessionDescription(description));
  }

  /** What the other end is told, with the o= line of its leg. */
  tell(end: End, description: SessionDescription): string {
    const origin = { username: '-', sessionId: this.#originId, address: this.#address };
    const last = end === 'mobileNode' ? this.#toldMobileNode : this.#toldCorrespondent;
    const text = nextDescription(description, origin, last);
    if (end === 'mobileNode') this.#toldMobileNode = text;
    else this.#toldCorrespondent = text;
    return text;
  }

  /**
   * The answer to a handover: what the mobile node was told before (TRIM §3.3: "does not contain any changes to the addressing
   * information", but for a mobile node that goes to the other version of IP), in the form of an answer to this offer.
   */
  handoverAnswer(offer: SessionDescription, components: Components = this.components): string {
    const agreed = this.agreed('correspondent');
    if (agreed === undefined) throw new Error('invariant: a handover follows an answered offer');
    const told = translated(components, 'correspondent', agreed);
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
    return this.tell('mobileNode', answer);
  }

  /** RFC 4145 §4.1, §5: the same end connects as before, and the connection that exists is kept. */
  #keepConnection(
    media: SessionDescription['media'][number],
    index: number,
  ): SessionDescription['media'][number] {
    const isMobileActive = componentAt(this.components, index, 'media')?.mobileNode?.port === undefined;
    return withAttribute(
      withAttribute(media, 'setup', isMobileActive ? 'passive' : 'active'),
      'connection',
      'existing',
    );
  }
}

function parsed(text: string | undefined): SessionDescription | undefined {
  const description = text === undefined ? undefined : parseSessionDescription(text);
  return isMalformed(description) ? undefined : description;
}
