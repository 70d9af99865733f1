/**
 * The SIP accounts of a home agent at rest (MIP–SIP §3: "This requires the HA to store SIP addresses and user credentials for each connected
 * MN"): one file, encrypted and authenticated by AES-256-GCM (NIST SP 800-38D), and a key in a file of its own, which belongs on another
 * disk, or in what the system has for secrets. Every change writes the whole file anew, with a new nonce.
 *
 * Nothing here says a password: neither errors nor lists.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { TrimaranError } from '../base/trimaran-error.ts';
import { contactPort, sipAddressOfRecord } from './configuration/home-agent-sip.ts';
import { ipv4Address } from './configuration/mobile-ip-values.ts';

export interface StoredSipAccount {
  readonly homeAddress: string;
  readonly publicIdentity: string;
  /** The user name of Digest. */
  readonly privateIdentity: string;
  readonly password: string;
  readonly contactPort: number;
}

/** Also authenticated, so that no file of another kind or version is taken for this. */
const format = 'trimaran-sip-accounts-1';

const sealed = z.strictObject({
  format: z.literal(format),
  nonce: z.base64(),
  tag: z.base64(),
  accounts: z.base64(),
});

const storedAccounts: z.ZodType<readonly StoredSipAccount[]> = z.array(
  z.strictObject({
    homeAddress: ipv4Address,
    publicIdentity: sipAddressOfRecord,
    privateIdentity: z.string().min(1),
    password: z.string().min(1),
    contactPort,
  }),
);

export class SipAccountStore {
  readonly #file: string;
  readonly #keyFile: string;

  constructor(paths: { readonly file: string; readonly key: string }) {
    this.#file = paths.file;
    this.#keyFile = paths.key;
  }

  /** By home address. Throws ACCOUNTS_UNREADABLE, ACCOUNTS_KEY_UNUSABLE or ACCOUNTS_KEY_WRONG. */
  read(): readonly StoredSipAccount[] {
    const key = this.#readKey();
    const text = readText(this.#file, 'ACCOUNTS_UNREADABLE', createRemedy);
    const envelope = sealed.safeParse(parseJson(text));
    if (!envelope.success)
      throw new TrimaranError('ACCOUNTS_UNREADABLE', `${this.#file} is no store of SIP accounts`, {
        remedy: 'Give the file that "trimaran home-agent-accounts" wrote.',
      });
    const accounts = storedAccounts.parse(JSON.parse(this.#unseal(envelope.data, key)));
    return accounts.toSorted((a, b) => (a.homeAddress < b.homeAddress ? -1 : 1));
  }

  /** Adds the account, or replaces that of its home address. The first one makes the key and the file. */
  put(account: StoredSipAccount): void {
    const others = this.#readOrCreate().filter(({ homeAddress }) => homeAddress !== account.homeAddress);
    this.#write([...others, account]);
  }

  /** Throws UNKNOWN_ACCOUNT. */
  remove(homeAddress: string): void {
    const accounts = this.read();
    const others = accounts.filter((one) => one.homeAddress !== homeAddress);
    if (others.length === accounts.length)
      throw new TrimaranError('UNKNOWN_ACCOUNT', `${homeAddress} has no account in ${this.#file}`, {
        remedy: '"trimaran home-agent-accounts … list" shows those that are there.',
      });
    this.#write(others);
  }

  #readOrCreate(): readonly StoredSipAccount[] {
    const [hasFile, hasKey] = [this.#file, this.#keyFile].map(exists);
    if (!hasFile && !hasKey) {
      mkdirSync(dirname(this.#keyFile), { recursive: true, mode: 0o700 });
      writeFileSync(this.#keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    }
    return hasFile ? this.read() : [];
  }

  #readKey(): Buffer {
    const text = readText(this.#keyFile, 'ACCOUNTS_KEY_UNUSABLE', createRemedy).trim();
    const unusable = (reason: string, remedy: string): TrimaranError =>
      new TrimaranError('ACCOUNTS_KEY_UNUSABLE', `the key ${this.#keyFile} ${reason}`, { remedy });
    if ((statSync(this.#keyFile).mode & 0o077) !== 0)
      throw unusable('can be read by others', `chmod 600 ${this.#keyFile}`);
    if (!/^[0-9a-f]{64}$/i.test(text))
      throw unusable(
        'is not 64 hexadecimal digits',
        'Restore it, or remove key and accounts and add them again.',
      );
    return Buffer.from(text, 'hex');
  }

  #unseal({ nonce, tag, accounts }: z.output<typeof sealed>, key: Buffer): string {
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'), {
        authTagLength: 16,
      });
      decipher.setAAD(Buffer.from(format)).setAuthTag(Buffer.from(tag, 'base64'));
      return Buffer.concat([decipher.update(accounts, 'base64'), decipher.final()]).toString();
    } catch {
      throw new TrimaranError(
        'ACCOUNTS_KEY_WRONG',
        `${this.#keyFile} is not the key of ${this.#file}, or the file was changed by something else`,
        { remedy: 'Restore both from the same backup, or remove them and add the accounts again.' },
      );
    }
  }

  #write(accounts: readonly StoredSipAccount[]): void {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#readKey(), nonce);
    cipher.setAAD(Buffer.from(format));
    const octets = Buffer.concat([cipher.update(JSON.stringify(accounts)), cipher.final()]);
    const envelope: z.output<typeof sealed> = {
      format,
      nonce: nonce.toString('base64'),
      tag: cipher.getAuthTag().toString('base64'),
      accounts: octets.toString('base64'),
    };
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(fd, `${JSON.stringify(envelope)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.#file);
  }
}

const createRemedy =
  '"trimaran home-agent-accounts … add" makes both files; give the paths that it was given.';

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readText(path: string, code: string, remedy: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TrimaranError(code, `cannot read ${path}: ${reason}`, { cause, remedy });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
