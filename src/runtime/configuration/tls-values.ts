/** TLS in configuration files: `tls: { certificate: { file: … }, key: { file: … }, authorities: { file: … }, port: 5061 }`. */
import { z } from 'zod';
import type { TlsCredentials } from '../tls-security.ts';
import { secret } from './configuration-values.ts';
import type { Secret } from './secret.ts';

export interface TlsConfiguration {
  /** PEM, with the certificates between it and the authority behind it. */
  readonly certificate: Secret;
  readonly key: Secret;
  /** PEM of who is trusted; absent: the authorities that Node brings along. */
  readonly authorities?: Secret | undefined;
  /** Where it listens, beside the port for UDP and TCP. */
  readonly port: number;
}

const fields = {
  certificate: secret,
  key: secret,
  authorities: secret.optional(),
  port: z.number().int().min(1).max(65_535).default(5061),
};

export const tlsSchema: z.ZodType<TlsConfiguration> = z.strictObject(fields);

/** Of a user whose SIP all goes by TLS. */
export interface TlsUserConfiguration extends TlsConfiguration {
  /** What the certificate of the outbound proxy must hold. */
  readonly 'server-name': string;
}

export const tlsUserSchema: z.ZodType<TlsUserConfiguration> = z.strictObject({
  ...fields,
  'server-name': z.string().min(1),
});

export function toTlsCredentials(tls: TlsConfiguration | undefined): TlsCredentials | undefined {
  return (
    tls && {
      certificate: tls.certificate.reveal(),
      key: tls.key.reveal(),
      authorities: tls.authorities?.reveal(),
    }
  );
}
