/**
 * The private identity behind a REGISTER (TS 24.229 §5.1.1.1A, §5.3.1.2): the user name of its credentials for the home domain; from
 * equipment that sends none before it is challenged, the public identity without its scheme (TS 23.003 §13.4).
 */
import { toOf } from '../message/header-fields.ts';
import type { SipRequest } from '../message/sip-message.ts';
import { addressOfRecord } from './address-of-record.ts';

const userNamePattern = /^\s*Digest\s.*?\busername\s*=\s*"((?:[^"\\]|\\.)*)"/i;

export function privateIdentityOf(request: SipRequest): string {
  for (const value of request.headers.getAll('Authorization')) {
    const match = userNamePattern.exec(value);
    if (match?.[1] !== undefined && match[1] !== '') return match[1].replace(/\\(.)/g, '$1');
  }
  return addressOfRecord(toOf(request).uri).replace(/^(?:sips?|tel):/, '');
}
