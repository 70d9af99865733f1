import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { createThirdPartyRegister } from './third-party-registration.ts';

const own = { address: '10.0.1.3', port: 5060 };

function register(parts: { info?: string; request: boolean; response: boolean }): SipRequest {
  const request = new SipRequest('REGISTER', 'sip:scscf.home1.net');
  request.headers.append('Contact', '<sip:mn@10.0.0.10>');
  request.headers.append('Path', '<sip:p;lr>');
  const registration = {
    applicationServer: {
      serverName: 'sip:as.home1.net',
      defaultHandling: 'continue' as const,
      includeRegisterRequest: parts.request,
      includeRegisterResponse: parts.response,
      ...(parts.info === undefined ? {} : { serviceInformation: parts.info }),
    },
    publicIdentity: 'sip:mn@home1.net',
    expiresSeconds: 600,
    request,
    response: new SipResponse(200, 'OK'),
  };
  return createThirdPartyRegister(registration, own, new SeededRandomSource(1));
}

test('createThirdPartyRegister has no body unless the filter criterion asks for one', () => {
  const plain = register({ request: false, response: false });
  assert.equal(plain.body, '');
  assert.equal(plain.headers.has('Content-Type'), false);
  assert.equal(plain.headers.get('Path'), '<sip:p;lr>');
});

test('createThirdPartyRegister carries one part as it is and several as multipart/mixed', () => {
  const single = register({ request: true, response: false });
  assert.equal(single.headers.get('Content-Type'), 'message/sip');
  assert.match(
    single.body,
    /^REGISTER sip:scscf\.home1\.net SIP\/2\.0\r\nContact: <sip:mn@10\.0\.0\.10>\r\n/,
  );
  const all = register({ info: 'a<b&c', request: true, response: true });
  const boundary = /^multipart\/mixed;boundary=(\w+)$/.exec(all.headers.get('Content-Type')!)![1]!;
  const parts = all.body.split(`--${boundary}`);
  assert.equal(parts.length, 5);
  assert.match(parts[1]!, /<service-info>a&lt;b&amp;c<\/service-info>/);
  assert.match(parts[2]!, /\r\n\r\nREGISTER /);
  assert.match(parts[3]!, /\r\n\r\nSIP\/2\.0 200 OK\r\n/);
  assert.equal(parts[4], '--\r\n');
});
