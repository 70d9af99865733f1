/**
 * The SIP-Auth-Data-Item of a MAA (TS 29.229 §6.3.13): what the S-CSCF challenges and checks a user with. "SIP Digest" hands out HA1
 * (TS 29.228 §6.3); "Digest-MD5" is how Kamailio asks for nonce and password (seen with Kamailio 5.6.3). AKA is left out.
 */
import { hashHex } from '../../base/digest.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { type Avp, avp } from '../../protocols/diameter/avp.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';
import type { Subscriber } from './subscriber.ts';

/** Undefined when the scheme is not supported, or not with what is known of the user. */
export function authenticationItem(
  subscriber: Subscriber,
  scheme: string,
  realm: string,
  random: RandomSource,
): Avp | undefined {
  // "Unknown" leaves the choice to the HSS.
  if (scheme === 'SIP Digest' || scheme === 'Unknown') return sipDigestItem(subscriber, realm);
  return scheme === 'Digest-MD5' ? digestMd5Item(subscriber, random) : undefined;
}

function sipDigestItem(subscriber: Subscriber, realm: string): Avp {
  const { credentials, privateIdentity } = subscriber;
  const ha1 =
    'ha1' in credentials
      ? credentials.ha1
      : hashHex('md5', latin1(`${privateIdentity}:${realm}:${credentials.password}`));
  return avp(cxAvps.sipAuthDataItem, [
    avp(cxAvps.sipItemNumber, 1),
    avp(cxAvps.sipAuthenticationScheme, 'SIP Digest'),
    avp(cxAvps.sipDigestAuthenticate, [
      avp(cxAvps.digestRealm, realm),
      avp(cxAvps.digestAlgorithm, 'MD5'),
      avp(cxAvps.digestQop, 'auth'),
      avp(cxAvps.digestHa1, ha1),
    ]),
  ]);
}

function digestMd5Item({ credentials }: Subscriber, random: RandomSource): Avp | undefined {
  if (!('password' in credentials)) return undefined;
  const nonce = new Uint8Array(16);
  for (let at = 0; at < nonce.length; at += 4) new DataView(nonce.buffer).setUint32(at, random.nextUint32());
  return avp(cxAvps.sipAuthDataItem, [
    avp(cxAvps.sipItemNumber, 1),
    avp(cxAvps.sipAuthenticationScheme, 'Digest-MD5'),
    avp(cxAvps.sipAuthenticate, nonce),
    avp(cxAvps.sipAuthorization, new TextEncoder().encode(credentials.password)),
  ]);
}

/** One character per octet of UTF-8, as hashHex takes it. */
function latin1(value: string): string {
  return String.fromCharCode(...new TextEncoder().encode(value));
}
