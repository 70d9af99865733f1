/** A request such as any UA sends it, for tests. */
import { SipRequest } from '../message/sip-message.ts';

export interface TestRequestParts {
  readonly requestUri?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly toTag?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

export function testRequest(method: string, parts: TestRequestParts = {}): SipRequest {
  const {
    requestUri = 'sip:bob@b.test',
    callId = 'call-1',
    cseq = 1,
    toTag,
    headers = [],
    body = '',
  } = parts;
  const request = new SipRequest(method, requestUri);
  request.headers.append('From', '<sip:alice@a.test>;tag=alice');
  request.headers.append('To', toTag === undefined ? '<sip:bob@b.test>' : `<sip:bob@b.test>;tag=${toTag}`);
  request.headers.append('Call-ID', callId);
  request.headers.append('CSeq', `${cseq} ${method}`);
  for (const [name, value] of headers) request.headers.append(name, value);
  request.body = body;
  return request;
}
