/**
 * A SIP request or response (RFC 3261 §7). Header text and body are latin1 strings, one character per octet, so that nothing is
 * lost whatever the octets mean. The start line and the body may be changed freely; Content-Length is set when the message is written.
 */
import { SipHeaders } from './sip-headers.ts';

export class SipRequest {
  readonly kind = 'request';
  method: string;
  requestUri: string;
  /** As on the start line, "SIP/2.0" unless the sender speaks another version. */
  readonly version: string;
  readonly headers: SipHeaders;
  body: string;

  constructor(
    method: string,
    requestUri: string,
    headers: SipHeaders = new SipHeaders(),
    body = '',
    version = 'SIP/2.0',
  ) {
    this.method = method;
    this.requestUri = requestUri;
    this.version = version;
    this.headers = headers;
    this.body = body;
  }

  /** A copy that can be changed without touching this one. */
  clone(): SipRequest {
    return new SipRequest(this.method, this.requestUri, this.headers.clone(), this.body, this.version);
  }
}

export class SipResponse {
  readonly kind = 'response';
  statusCode: number;
  reasonPhrase: string;
  readonly headers: SipHeaders;
  body: string;

  constructor(statusCode: number, reasonPhrase: string, headers: SipHeaders = new SipHeaders(), body = '') {
    this.statusCode = statusCode;
    this.reasonPhrase = reasonPhrase;
    this.headers = headers;
    this.body = body;
  }

  /** A copy that can be changed without touching this one. */
  clone(): SipResponse {
    return new SipResponse(this.statusCode, this.reasonPhrase, this.headers.clone(), this.body);
  }
}

export type SipMessage = SipRequest | SipResponse;
