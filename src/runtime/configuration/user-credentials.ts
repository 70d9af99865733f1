/**
 * What a user proves himself with, in configuration files of terminals and of the HSS: a password, or the key of a USIM in software
 * (`aka: { k, opc }`, or `op` in place of `opc`; 3GPP TS 35.206). Exactly one of the two.
 */
import { z } from 'zod';
import { operatorVariant, type SubscriberKey } from '../../protocols/aka/milenage.ts';
import { Usim } from '../../protocols/aka/usim.ts';
import type { DigestSecret } from '../../protocols/sip/authentication/digest-client.ts';
import { secret, secretKey } from './configuration-values.ts';
import type { Secret } from './secret.ts';

export interface UserCredentials {
  readonly password?: Secret | undefined;
  readonly aka?: AkaConfiguration | undefined;
}

export interface AkaConfiguration {
  readonly k: Secret;
  readonly opc?: Secret | undefined;
  readonly op?: Secret | undefined;
}

/** Keys of a strictObject. */
export const credentialKeys: {
  readonly password: z.ZodOptional<typeof secret>;
  readonly aka: z.ZodOptional<z.ZodType<AkaConfiguration>>;
} = {
  password: secret.optional(),
  aka: z
    .strictObject({ k: secretKey, opc: secretKey.optional(), op: secretKey.optional() })
    .refine(({ opc, op }) => (opc === undefined) !== (op === undefined), 'either opc or op is needed')
    .optional() as unknown as z.ZodOptional<z.ZodType<AkaConfiguration>>,
};

export function hasOneCredential({ password, aka }: UserCredentials): boolean {
  return (password === undefined) !== (aka === undefined);
}

export const credentialRule = 'either password or aka is needed';

export function subscriberKeyOf({ k, opc, op }: AkaConfiguration): SubscriberKey {
  const key = octetsOf(k);
  return { k: key, opc: opc === undefined ? operatorVariant(key, octetsOf(op!)) : octetsOf(opc) };
}

/** For the client side of digest: the password's octets as latin1. */
export function digestSecretOf({ password, aka }: UserCredentials): DigestSecret {
  if (aka !== undefined) return new Usim(subscriberKeyOf(aka));
  return Buffer.from(password!.reveal(), 'utf8').toString('latin1');
}

function octetsOf(key: Secret): Uint8Array {
  return new Uint8Array(Buffer.from(key.reveal(), 'hex'));
}
