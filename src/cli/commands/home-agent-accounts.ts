/** `trimaran home-agent-accounts`: the SIP accounts with which a home agent registers its mobile nodes (MIP–SIP §3). */
import { createInterface } from 'node:readline';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { sipAddressOfRecord } from '../../runtime/configuration/home-agent-sip.ts';
import { ipv4Address } from '../../runtime/configuration/mobile-ip-values.ts';
import { userNameOf } from '../../runtime/home-agent-sip.ts';
import { SipAccountStore } from '../../runtime/sip-account-store.ts';
import { type Command, type CommandArguments, jsonOption, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';

export const homeAgentAccountsCommand: Command = {
  name: 'home-agent-accounts',
  summary: 'keep the SIP accounts of a home agent, encrypted',
  synopsis: '--store FILE --key FILE ACTION [OPERAND]…',
  description: [
    'The home agent registers the care-of address of a mobile node with SIP, and needs the password of its user for that. The passwords lie in one file that is encrypted with AES-256-GCM; the key lies in a second file, which only its owner may read. The first "add" makes both. Without the key the file is worthless: keep them, and their backups, apart.',
    '"add ADDRESS SIP-URI" reads the password of the mobile node with that home address from standard input, the first line, and replaces an account that it has; "remove ADDRESS" takes it away. "list" and everything else say no password. The home agent reads the accounts when it starts.',
    'In the configuration of the home agent: sip-registration, account-store (file, key).',
  ],
  options: [
    { name: 'store', value: 'FILE', description: 'The encrypted accounts.' },
    { name: 'key', value: 'FILE', description: 'Their key.' },
    {
      name: 'user-name',
      value: 'NAME',
      description: 'The user name of digest; by default the part of the SIP URI before the "@".',
    },
    {
      name: 'contact-port',
      value: 'PORT',
      description: 'Where the mobile node listens for SIP on its care-of addresses; by default 5060.',
    },
    jsonOption,
  ],
  operands: { minimum: 1, maximum: 3 },
  examples: [
    [
      'trimaran home-agent-accounts --store sip-accounts --key sip-key list',
      'The mobile nodes that have an account, and their SIP addresses.',
    ],
    [
      'trimaran home-agent-accounts --store A --key K remove 198.51.100.10',
      'The home agent no longer registers that one from its next start on.',
    ],
  ],
  run: async (line) => {
    const { store, key } = line.options;
    if (typeof store !== 'string' || typeof key !== 'string')
      throw usageError(homeAgentAccountsCommand, 'the files of the accounts and of their key are missing');
    await carryOut(new SipAccountStore({ file: store, key }), line);
    return exitCode.ok;
  },
};

async function carryOut(store: SipAccountStore, { options, operands }: CommandArguments): Promise<void> {
  const [action, homeAddress, publicIdentity] = operands;
  if (action === 'list' && operands.length === 1) list(store, options['json'] === true);
  else if (action === 'remove' && homeAddress !== undefined && operands.length === 2)
    store.remove(homeAddress);
  else if (action === 'add' && homeAddress !== undefined && publicIdentity !== undefined) {
    const contactPort = Number(options['contact-port'] ?? 5060);
    if (!ipv4Address.safeParse(homeAddress).success)
      throw usageError(homeAgentAccountsCommand, `"${homeAddress}" is not an IPv4 address`);
    if (!sipAddressOfRecord.safeParse(publicIdentity).success)
      throw usageError(homeAgentAccountsCommand, `"${publicIdentity}" is not such as sip:bob@home.example`);
    if (!Number.isInteger(contactPort) || contactPort < 1 || contactPort > 65_535)
      throw usageError(homeAgentAccountsCommand, 'a port is a number from 1 to 65535');
    const privateIdentity = String(options['user-name'] ?? userNameOf(publicIdentity));
    store.put({ homeAddress, publicIdentity, privateIdentity, contactPort, password: await readPassword() });
  } else
    throw usageError(homeAgentAccountsCommand, 'it takes "add", "list" or "remove", with what they need');
}

function list(store: SipAccountStore, asJson: boolean): void {
  for (const { password: _, ...account } of store.read()) {
    const { homeAddress, publicIdentity, privateIdentity, contactPort } = account;
    const text = `${homeAddress}  ${publicIdentity}  user name ${privateIdentity}, port ${contactPort}`;
    process.stdout.write(`${asJson ? JSON.stringify(account) : text}\n`);
  }
}

/** On a terminal nothing of it is shown. */
async function readPassword(): Promise<string> {
  const { stdin } = process;
  if (stdin.isTTY) process.stderr.write('Password: ');
  const lines = createInterface({ input: stdin, terminal: stdin.isTTY });
  const line = await new Promise<string>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(''));
  });
  lines.close();
  if (stdin.isTTY) process.stderr.write('\n');
  if (line === '')
    throw new TrimaranError('NO_PASSWORD', 'there was no password on standard input', {
      remedy: 'Type it, or redirect a file to it: … < password-file',
    });
  return line;
}
