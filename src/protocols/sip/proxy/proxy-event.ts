/**
 * What the proxy core tells its owner, a CSCF (RFC 3261 §16), and what it is told to do with a request.
 * The owner does the header work and the routing decision; the core does the rest.
 */
import type { DurationMs } from '../../../base/instant.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipUri } from '../message/sip-uri.ts';
import type { ServerTransactionId, SipArrival, SipEvent, SipTarget } from '../transaction/sip-event.ts';
import type { RecordRoute } from './record-route.ts';

export type ProxyEvent =
  /**
   * A valid request whose own Route, if any, is already taken off (`ownRoute`). Edit `request` in place, then call `forward` or
   * `respond`, now or later.
   */
  | ({
      readonly kind: 'request';
      readonly transaction: ServerTransactionId;
      readonly request: SipRequest;
      readonly ownRoute: SipUri | undefined;
    } & SipArrival)
  /** An ACK for a 2xx on its way: edit it and call `forwardAck`. */
  | ({
      readonly kind: 'ack';
      readonly request: SipRequest;
      readonly ownRoute: SipUri | undefined;
    } & SipArrival)
  /**
   * The response that is to go upstream: a provisional one, a 2xx, or the best of all branches. Own Via already taken off.
   * Edit it and call `respond`; or, when it is a final one other than 2xx or 6xx, call `forward` with further targets instead.
   */
  | {
      readonly kind: 'response-chosen';
      readonly transaction: ServerTransactionId;
      readonly request: SipRequest;
      readonly response: SipResponse;
    }
  /** Everything else as it comes from the endpoint: events of the owner's own client transactions, and of server transactions. */
  | Exclude<SipEvent, { kind: 'request' } | { kind: 'ack' }>;

/** One branch of a forwarded request. */
export interface ForwardTarget {
  /** New Request-URI; absent leaves it. */
  readonly requestUri?: string;
  /** Route header values to put on top, such as the Path of a contact. */
  readonly routes?: readonly string[];
  /** Record-Route header value to put on top; or how the proxy is to be found by both sides, whatever they speak (RFC 5658). */
  readonly recordRoute?: string | RecordRoute;
  /** Where to send it whatever Route and Request-URI say. */
  readonly nextHop?: SipTarget;
  /**
   * The branch counts as answered 408 when it has no response at all, not even 100, after this long: who waits for an application
   * server cannot wait for timer B (TS 24.229 §5.4.3.2).
   */
  readonly firstResponseMs?: DurationMs;
}
